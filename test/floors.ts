import { globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The floors of the house as data, and what finds a breach of them. `src/README.md` says the same in words. */

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

export interface Room {
  readonly name: 'ground' | 'records' | 'contracts' | 'verbs' | 'kinds' | 'doors'
  readonly floor: number
  /** Paths without `.ts`; a `*` stands for the rest of a path. */
  readonly files: readonly string[]
}

const src = (names: string): string[] => names.split(' ').map((name) => `src/${name}`)

/** A file belongs to the first room that lists it. */
export const FLOORS: readonly Room[] = [
  { name: 'doors', floor: 5, files: src('plugin cli main') },
  {
    name: 'doors',
    floor: 4,
    files: [
      ...src(
        'index otel seen workspace place experiment supply open find referee handle traces intake inbox desk receiver archive archived carried overseer backfills archiving supervisor assess anchors recipe load registered restore registrar enrol monitoring models/index judges/index scorers/index commands/*',
      ),
      'fixtures/*',
      'reporters/vitest',
    ],
  },
  {
    name: 'verbs',
    floor: 3,
    files: src(
      'evaluate evaluation quality survey predict score session trial feed early folding tally notice recount reuse fault copy tabulate decide baseline agreement monitor backfill gather shift telling examiner workbench outcome subjects duty anchoring',
    ),
  },
  {
    name: 'kinds',
    floor: 3,
    files: [
      ...src('sources/* scorers/* judges/* models/* stores/* exporters/* archives/* formats/* gates/*'),
      'reporters/*',
    ],
  },
  {
    name: 'contracts',
    floor: 2,
    files: src(
      'model source lifecycle scorer version judge store registry queue exporter archival format gate reporter subject tracer recorder processor provider telemetry client traceset host options settings supplier',
    ),
  },
  {
    name: 'records',
    floor: 1,
    files: src(
      'meter feedback assessment span attributes conventions usage documents calls trace row column run finding sheet estimate comparison flakiness registration drift series history anchor status sampling filter field token grammar order handoff',
    ),
  },
  { name: 'ground', floor: 0, files: src('std/* errors ambience') },
]

/** A plural folder of kinds, and the contract that they keep. */
export const KINDS: Readonly<Record<string, string>> = {
  'src/sources': 'src/source.ts',
  'src/scorers': 'src/scorer.ts',
  'src/judges': 'src/judge.ts',
  'src/stores': 'src/store.ts',
  'src/exporters': 'src/exporter.ts',
  'src/archives': 'src/archival.ts',
  'src/gates': 'src/gate.ts',
  'src/formats': 'src/format.ts',
  'src/models': 'src/model.ts',
  reporters: 'src/reporter.ts',
}

/** Modules that have a place of their own: files or folders; `types` where only their types may be imported. */
export const PLACES: Readonly<
  Record<string, { readonly files: readonly string[]; readonly types?: readonly string[] }>
> = {
  vitest: { files: ['fixtures/', 'reporters/vitest.ts'], types: ['src/plugin.ts'] },
  'node:sqlite': { files: ['src/stores/sqlite/database.ts', 'src/models/file.ts'] },
  '@opentelemetry/api': { files: ['src/telemetry.ts'], types: ['src/provider.ts'] },
  openai: { files: ['src/models/openai.ts'] },
  'apache-arrow': { files: ['src/sources/', 'src/exporters/'] },
  'csv-parse': { files: ['src/sources/', 'src/exporters/'] },
  hyparquet: { files: ['src/sources/', 'src/exporters/', 'src/archives/'], types: ['src/std/'] },
  'hyparquet-writer': { files: ['src/sources/', 'src/exporters/', 'src/archives/'] },
  pbf: { files: ['src/formats/'] },
  'string-width': { files: ['reporters/'] },
}

/** Too heavy to be loaded before they are needed: `await import()` only. */
export const HEAVY: readonly string[] = [
  '@opentelemetry/api',
  'apache-arrow',
  'csv-parse',
  'hyparquet',
  'hyparquet-writer',
  'openai',
  'pbf',
  'zod',
]

export const FORBIDDEN_NAMES: readonly string[] = 'utils helpers common core shared types constants'.split(' ')
export const MAX_LINES = 300

export interface Import {
  readonly specifier: string
  readonly kind: 'static' | 'type' | 'dynamic'
}

/** The files of some folders, by path from the root. */
export function sourceFiles(...folders: readonly string[]): Map<string, string> {
  const paths = folders.flatMap((folder) =>
    globSync(`${folder}/**/*.ts`, { cwd: ROOT, exclude: ['**/node_modules', '**/dist'] }),
  )
  return new Map(paths.sort().map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
}

// Statements begin their line; text that merely shows an import, in a comment or a string, does not.
const STATEMENT = /^(import|export)(\s+type)?\b(?:[^'"`;=(]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
const DYNAMIC = /^(?!\s*(?:\*|\/\/|\/\*)).*?\bimport\(\s*['"]([^'"]+)['"]\s*\)(\.\w+)?/gm

export function importsOf(text: string): Import[] {
  const found: Import[] = []
  for (const [, , type, specifier] of text.matchAll(STATEMENT)) {
    found.push({ specifier: specifier as string, kind: type ? 'type' : 'static' })
  }
  // `import('x').Name` is a type; what is awaited comes in parentheses or by destructuring.
  for (const [, specifier, member] of text.matchAll(DYNAMIC)) {
    found.push({ specifier: specifier as string, kind: member && member !== '.then' ? 'type' : 'dynamic' })
  }
  return found
}

export function roomOf(path: string): Room | undefined {
  const name = path.replace(/\.ts$/, '')
  return FLOORS.find(({ files }) =>
    files.some((file) => (file.endsWith('*') ? name.startsWith(file.slice(0, -1)) : name === file)),
  )
}

/** Gives the file that a relative import means. */
export function target(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier)
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function folderOf(path: string): string | undefined {
  return Object.keys(KINDS).find((folder) => path.startsWith(`${folder}/`))
}

/** Says what breaks the floors, one sentence each. */
export function floorBreaches(files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  for (const [path, text] of files) {
    const room = roomOf(path)
    if (!room) {
      problems.push(`${path} stands on no floor: list it in FLOORS of test/floors.ts`)
      continue
    }
    for (const { specifier } of importsOf(text)) {
      if (!specifier.startsWith('.')) continue
      const to = target(path, specifier)
      const other = roomOf(to)
      if (!files.has(to)) problems.push(`${path} imports ${to}, which is no source file`)
      else if (other) problems.push(...stairs(path, room, to, other))
    }
  }
  return problems
}

function stairs(path: string, room: Room, to: string, other: Room): string[] {
  if (other.floor > room.floor) {
    return [`${path} (${room.name}, floor ${room.floor}) imports up: ${to} (${other.name}, floor ${other.floor})`]
  }
  if (room.floor !== 3 || other.floor !== 3) return []
  if (room.name !== other.name)
    return [`${path} (${room.name}) imports ${to} (${other.name}): they know contracts only`]
  if (room.name !== 'kinds' || folderOf(path) === folderOf(to)) return []
  return [`${path} imports ${to}, a kind of another folder: they know contracts only`]
}

/** Says which imports of modules are out of place. */
export function placeBreaches(files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  for (const [path, text] of files) {
    for (const { specifier, kind } of importsOf(text)) {
      if (specifier.startsWith('.')) continue
      const name = packageOf(specifier)
      if (HEAVY.includes(name) && kind === 'static')
        problems.push(`${path} loads ${name} at once: await import('${name}')`)
      const place = PLACES[name]
      const within = (list: readonly string[] = []) =>
        list.some((one) => path === one || (one.endsWith('/') && path.startsWith(one)))
      if (!place || within(place.files)) continue
      if (within(place.types)) {
        if (kind !== 'type') problems.push(`${path} imports ${name}, of which it may know types only`)
      } else
        problems.push(`${path} imports ${name}, whose place is ${[...place.files, ...(place.types ?? [])].join(', ')}`)
    }
  }
  return problems
}

/** Gives one cycle of imports, types counted, or undefined. */
export function cycleOf(files: ReadonlyMap<string, string>): string[] | undefined {
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const visit = (path: string): string[] | undefined => {
    if (state.get(path) === 'done') return undefined
    if (state.get(path) === 'open') return [...trail.slice(trail.indexOf(path)), path]
    state.set(path, 'open')
    trail.push(path)
    for (const { specifier } of importsOf(files.get(path) ?? '')) {
      const cycle = specifier.startsWith('.') ? visit(target(path, specifier)) : undefined
      if (cycle) return cycle
    }
    trail.pop()
    state.set(path, 'done')
    return undefined
  }
  for (const path of files.keys()) {
    const cycle = visit(path)
    if (cycle) return cycle
  }
  return undefined
}

/** Gives every file and module that a file loads, by itself or through others; types are not loaded. */
export function loadedBy(
  entry: string,
  files: ReadonlyMap<string, string>,
  kinds: readonly Import['kind'][] = ['static', 'dynamic'],
): Set<string> {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    for (const { specifier, kind } of importsOf(files.get(path) ?? '')) {
      const name = specifier.startsWith('.') ? target(path, specifier) : packageOf(specifier)
      if (!kinds.includes(kind) || seen.has(name)) continue
      seen.add(name)
      visit(name)
    }
  }
  visit(entry)
  return seen
}

/** Says which files have no name of their own: one word, and a word that means something. */
export function nameBreaches(paths: Iterable<string>): string[] {
  const problems: string[] = []
  for (const path of paths) {
    const name = posix.basename(path, '.ts')
    if (path.split(/[/.]/).some((part) => FORBIDDEN_NAMES.includes(part)))
      problems.push(`${path} has a name that says nothing`)
    else if (!/^[a-z][a-z0-9]*$/.test(name)) problems.push(`${path} is not one word`)
  }
  return problems
}
