import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import {
  cycleOf,
  FLOORS,
  floorBreaches,
  importsOf,
  KINDS,
  loadedBy,
  MAX_LINES,
  nameBreaches,
  PLACES,
  placeBreaches,
  ROOT,
  roomOf,
  sourceFiles,
  target,
} from './floors.ts'

const files = sourceFiles('src', 'fixtures', 'reporters')
const planted = (more: Record<string, string>): Map<string, string> => new Map([...files, ...Object.entries(more)])
const fresh = (find: (files: ReadonlyMap<string, string>) => string[], more: Record<string, string>): string[] => {
  const known = new Set(find(files))
  return find(planted(more)).filter((problem) => !known.has(problem))
}

test('importsOf() finds every way to import, and no import that is only shown', () => {
  const text = `
import a, { b } from './a.ts'
import type { C } from "./c.ts"
import {
  d,
  type E,
} from './d.ts'
import './side.ts'
import * as f from 'node:fs'
export { g } from './g.ts'
export * from './h.ts'
export type { I } from './i.ts'
export const from = 'nowhere'
export function j(from: string) { return from + 'not' }
 * import { k } from './k.ts'
// import './l.ts'
const m = await import('m')
async table(): Promise<import('n').Table> {
  // await import('o')
const p = "import q from './q.ts'"
`
  expect(importsOf(text).map(({ kind, specifier }) => `${kind} ${specifier}`)).toEqual([
    'static ./a.ts',
    'type ./c.ts',
    'static ./d.ts',
    'static ./side.ts',
    'static node:fs',
    'static ./g.ts',
    'static ./h.ts',
    'type ./i.ts',
    'dynamic m',
    'type n',
  ])
})

test('every file stands on a floor and imports from its own or below', () => {
  expect(files.size).toBeGreaterThan(30)
  expect(floorBreaches(files)).toEqual([])
})

test.each<[string, string, string, string]>([
  ['a new file', 'src/stray.ts', '', 'src/stray.ts stands on no floor: list it in FLOORS of test/floors.ts'],
  [
    'an import up',
    'src/row.ts',
    "import type { Scorer } from './scorer.ts'",
    'src/row.ts (records, floor 1) imports up: src/scorer.ts (contracts, floor 2)',
  ],
  [
    'ground that knows records',
    'src/std/new.ts',
    "import '../row.ts'",
    'src/std/new.ts (ground, floor 0) imports up: src/row.ts (records, floor 1)',
  ],
  [
    'a verb that knows a kind',
    'src/predict.ts',
    "import { memory } from './stores/memory.ts'",
    'src/predict.ts (verbs) imports src/stores/memory.ts (kinds): they know contracts only',
  ],
  [
    'a kind that knows a verb',
    'src/sources/new.ts',
    "const x = await import('../predict.ts')",
    'src/sources/new.ts (kinds) imports src/predict.ts (verbs): they know contracts only',
  ],
  [
    'a kind that knows its sibling',
    'src/sources/new.ts',
    "export * from '../exporters/csv.ts'",
    'src/sources/new.ts imports src/exporters/csv.ts, a kind of another folder: they know contracts only',
  ],
  [
    'a renderer that knows a kind',
    'reporters/new.ts',
    "import '../src/stores/memory.ts'",
    'reporters/new.ts imports src/stores/memory.ts, a kind of another folder: they know contracts only',
  ],
  [
    'a door that knows a higher one',
    'src/index.ts',
    "import './plugin.ts'",
    'src/index.ts (doors, floor 4) imports up: src/plugin.ts (doors, floor 5)',
  ],
  [
    'a file that is not there',
    'src/row.ts',
    "import './gone.ts'",
    'src/row.ts imports src/gone.ts, which is no source file',
  ],
])('floorBreaches() finds %s', (_, path, text, problem) => {
  expect(fresh(floorBreaches, { [path]: text })).toEqual([problem])
})

test('no import leads back to where it came from', () => {
  expect(cycleOf(files)).toBeUndefined()
})

test.for([
  ['fixtures/setup.ts', 12],
  ['src/place.ts', 18],
  ['src/plugin.ts', 18],
] as const)('%s, for which every run of Vitest waits, loads no more than %i files before it begins', ([path, most]) => {
  const loaded = [...loadedBy(path, files, ['static'])].filter((name) => files.has(name))
  expect(loaded.length, loaded.join(' ')).toBeLessThanOrEqual(most)
})

test('cycleOf() finds a cycle of types', () => {
  const cycle = cycleOf(planted({ 'src/errors.ts': "import type { Json } from './std/json.ts'" }))
  expect(cycle?.at(-1)).toBe(cycle?.[0])
  expect(cycle).toEqual(expect.arrayContaining(['src/errors.ts', 'src/std/json.ts']))
})

test('modules with a place of their own are imported there only, heavy ones when they are needed', () => {
  expect(placeBreaches(files)).toEqual([])
})

test.each<[string, string, string]>([
  [
    'src/row.ts',
    "import { test } from 'vitest'",
    'src/row.ts imports vitest, whose place is fixtures/, reporters/vitest.ts, src/plugin.ts',
  ],
  [
    'reporters/table.ts',
    "import type { Vitest } from 'vitest/node'",
    'reporters/table.ts imports vitest, whose place is fixtures/, reporters/vitest.ts, src/plugin.ts',
  ],
  [
    'src/plugin.ts',
    "import { defineConfig } from 'vitest/config'",
    'src/plugin.ts imports vitest, of which it may know types only',
  ],
  [
    'src/stores/memory.ts',
    "import { DatabaseSync } from 'node:sqlite'",
    'src/stores/memory.ts imports node:sqlite, whose place is src/stores/sqlite/database.ts, src/models/file.ts',
  ],
  [
    'src/sources/csv.ts',
    "import { parse } from 'csv-parse'",
    "src/sources/csv.ts loads csv-parse at once: await import('csv-parse')",
  ],
  [
    'src/traceset.ts',
    "type T = import('apache-arrow').Table",
    'src/traceset.ts imports apache-arrow, whose place is src/sources/, src/exporters/',
  ],
  [
    'src/commands/runs.ts',
    "import width from 'string-width'",
    'src/commands/runs.ts imports string-width, whose place is reporters/',
  ],
])('placeBreaches() finds %s with %s', (path, text, problem) => {
  expect(fresh(placeBreaches, { [path]: text })).toEqual([problem])
})

test('the core entry loads neither vitest nor anything of its processes', () => {
  const loaded = [...loadedBy('src/index.ts', files)]
  expect(loaded).toContain('src/evaluate.ts')
  expect(loaded.filter((name) => /^(vitest|fixtures|reporters)\b/.test(name))).toEqual([])
})

test('every file is a room, not a house', () => {
  const long = [...files].map(([path, text]) => ({ path, lines: text.split('\n').length - 1 }))
  expect(long.filter(({ lines }) => lines > MAX_LINES)).toEqual([])
})

test('every file is one word that means something', () => {
  expect(nameBreaches(files.keys())).toEqual([])
  expect(
    nameBreaches(['src/utils.ts', 'src/std/types.ts', 'src/shared/row.ts', 'src/rowHelper.ts', 'src/row-id.ts']),
  ).toEqual([
    'src/utils.ts has a name that says nothing',
    'src/std/types.ts has a name that says nothing',
    'src/shared/row.ts has a name that says nothing',
    'src/rowHelper.ts is not one word',
    'src/row-id.ts is not one word',
  ])
})

test('every folder of kinds has its contract, and stands on the table', () => {
  const folders = new Set(
    [...files.keys()]
      .filter((path) => roomOf(path)?.name === 'kinds')
      .map((path) => path.replace(/^(src\/)?(\w+)\/.*/, '$1$2')),
  )
  expect([...folders].sort()).toEqual(Object.keys(KINDS).sort())
  for (const contract of Object.values(KINDS)) expect(roomOf(contract)?.name).toBe('contracts')
  expect(Object.values(KINDS).filter((contract) => !files.has(contract))).toEqual([])
})

test('every folder of code says what lives in it', () => {
  const folders = new Set([...files.keys()].map((path) => posix.dirname(path)))
  expect([...folders].filter((folder) => !existsSync(join(ROOT, folder, 'README.md')))).toEqual([])
})

test('the tables name nothing that is gone', () => {
  const later = new Set(['src/comparison'])
  const listed = FLOORS.flatMap((room) => room.files).filter((file) => !file.endsWith('*') && !later.has(file))
  expect(listed.filter((file) => !files.has(`${file}.ts`))).toEqual([])
  const places = Object.values(PLACES).flatMap(({ files: list, types = [] }) => [...list, ...types])
  const there = (place: string) =>
    later.has(place) || [...files.keys()].some((path) => path === place || path.startsWith(place))
  expect(places.filter((place) => !there(place))).toEqual([])
})

test('the top level holds what the layout names and nothing else', () => {
  const wanted =
    /^(package(-lock)?\.json|tsconfig\.json|src|reporters|fixtures|examples|test|dist|node_modules|README\.md|LICENSE|CHANGELOG\.md|\..*)$/
  expect(readdirSync(ROOT).filter((name) => !wanted.test(name) && !name.endsWith('.tgz'))).toEqual([])
})

test('examples import public names only', () => {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const entries = Object.keys(exports).map((entry) => posix.join(name, entry))
  const allowed = (path: string, specifier: string): boolean => {
    const example = path.split('/').slice(0, 2).join('/')
    if (specifier.startsWith('.')) return target(path, specifier).startsWith(`${example}/`)
    return (
      entries.includes(specifier) || /^(node:|vitest$|vitest\/config$|zod$|openai$|@opentelemetry\/)/.test(specifier)
    )
  }
  const examples = sourceFiles('examples')
  expect(examples.size).toBeGreaterThan(0)
  const breaches = [...examples].flatMap(([path, text]) =>
    importsOf(text)
      .filter(({ specifier }) => !allowed(path, specifier))
      .map(({ specifier }) => `${path} imports ${specifier}`),
  )
  expect(breaches).toEqual([])
  expect(allowed('examples/01-x/a.ts', '../../src/row.ts')).toBe(false)
  expect(allowed('examples/01-x/a.ts', `${name}/std`)).toBe(false)
})
