import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, sourceFiles, target } from './floors.ts'

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const files = sourceFiles('src', 'fixtures', 'reporters')
const entries = Object.values<string>(exports)
  .filter((built) => built.endsWith('.js'))
  .map((built) => built.replace('./dist/', '').replace(/\.js$/, '.ts'))

interface Name {
  readonly path: string
  readonly name: string
}

const LIST = /^export (?:type )?\{([^}]*)\}(?: from '([^']+)')?/gm
const ALL = /^export \* from '([^']+)'/gm
const DECLARED = /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type) (\w+)/gm
const DEFAULT = /^export default (?:class|(?:async )?function) (\w+)/gm

/** Every name that a file exports, with the file that declares it. */
function exported(path: string, text: string): Name[] {
  const found = [...text.matchAll(DECLARED), ...text.matchAll(DEFAULT)].map(([, name]) => ({
    path,
    name: name as string,
  }))
  for (const [, list, from] of text.matchAll(LIST)) {
    const names = (list as string).split(',').map(
      (one) =>
        one
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0] as string,
    )
    const declaring = from?.startsWith('.') ? target(path, from) : path
    const origin = from === undefined ? [] : exportedBy(declaring)
    for (const name of names.filter(Boolean)) {
      found.push((from && origin.find((one) => one.name === name)) || { path: declaring, name })
    }
  }
  for (const [, from] of text.matchAll(ALL)) found.push(...exportedBy(target(path, from as string)))
  return found
}

function exportedBy(path: string): Name[] {
  return exported(path, files.get(path) ?? '')
}

/** True when a doc comment stands right above the first declaration of the name. */
function documented(name: string, text: string): boolean {
  const lines = text.split('\n')
  const declaration = new RegExp(
    `^(export )?(default )?(declare )?(abstract )?(async )?(function\\*?|class|const|let|interface|type) ${name}\\b`,
  )
  const at = lines.findIndex((line) => declaration.test(line))
  if (at < 1 || !/\*\/$/.test(lines[at - 1] as string)) return false
  const start = lines.slice(0, at).findLastIndex((line) => /^\/\*\*/.test(line))
  return /\p{L}{2}/u.test(lines.slice(start, at).join(' '))
}

test('documented() wants a doc comment right above, with words in it', () => {
  expect(documented('a', '/** Gives a. */\nexport function a() {}')).toBe(true)
  expect(documented('a', '/**\n * Gives a.\n */\nexport abstract class a {}')).toBe(true)
  expect(documented('a', '/** Gives b. */\nexport type b = 1\nexport const a = 1')).toBe(false)
  expect(documented('a', '/** About the file. */\n\nexport const a = 1')).toBe(false)
  expect(documented('a', '// Gives a.\nexport const a = 1')).toBe(false)
  expect(documented('a', '/** */\nexport const a = 1')).toBe(false)
  expect(documented('a', 'export const a = 1')).toBe(false)
})

test('exported() follows lists, renames and stars', () => {
  const text =
    "export { Run, type RowResult as R } from './traceset.ts'\nexport * from './std/random.ts'\nexport interface Own {}\nexport default class Door {}"
  expect(exported('src/made.ts', text).map(({ path, name }) => `${path} ${name}`)).toEqual([
    'src/made.ts Own',
    'src/made.ts Door',
    'src/traceset.ts Run',
    'src/traceset.ts RowResult',
    'src/std/random.ts newTraceId',
    'src/std/random.ts newSpanId',
    'src/std/random.ts newRunId',
    'src/std/random.ts unitHash',
    'src/std/random.ts seeded',
  ])
})

test.each(entries)('every name that %s exports has a doc comment', (entry) => {
  const text = files.get(entry) as string
  const names = exported(entry, text)
  if (names.length === 0) expect(text).not.toMatch(/^export/m)
  const bare = names.filter(({ path, name }) => !documented(name, files.get(path) ?? ''))
  expect(bare.map(({ path, name }) => `${path}: ${name}`)).toEqual([])
})
