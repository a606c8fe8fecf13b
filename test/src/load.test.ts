import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const LOAD = new URL('../../src/load.ts', import.meta.url).href
const MODULES = new URL('../../node_modules', import.meta.url).pathname

function project(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'load-'))
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

/** Runs in a process of its own: under Vitest every import goes through Vite anyway. */
async function load(root: string, script: string): Promise<string> {
  const text = `import { loadModule } from ${JSON.stringify(LOAD)}
    const load = (name) => loadModule(${JSON.stringify(`${root}/`)} + name, ${JSON.stringify(root)})
    try { ${script} } catch (error) { console.log(error.code, error.message) }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', text], { cwd: root })
  return stdout.trim()
}

const ALIASED = {
  'vitest.config.ts': `import { fileURLToPath } from 'node:url'
    export default { resolve: { alias: { '@lib': fileURLToPath(new URL('./lib', import.meta.url)) } } }`,
  'lib/words.ts': 'export enum Limit { Few = 3 }',
  'scorers.ts': `import { Limit } from '@lib/words'
    export const few: number = Limit.Few
    export const later = async () => (await import('./lib/more')).more`,
  'lib/more.ts': "export const more = 'more'",
}

test('loadModule() loads as Node does, types stripped', async () => {
  const root = project({ 'x.ts': 'export const x: number = 5' })
  expect(await load(root, "console.log((await load('x.ts')).x)")).toBe('5')
})

test('loadModule() goes through Vite for aliases, enums and paths without endings, also for what is imported later; the process ends', async () => {
  const root = project(ALIASED)
  symlinkSync(MODULES, join(root, 'node_modules'))
  const script =
    "const m = await load('scorers.ts'); console.log(m.few, await m.later(), (await load('scorers.ts')) === m)"
  expect(await load(root, script)).toBe('3 more true')
})

test('loadModule() says what Node and what Vite could not make of a module', async () => {
  const root = project({ ...ALIASED, 'bad.ts': "import '@nowhere/x'", 'broken.ts': 'export const = 5' })
  expect(await load(root, "await load('scorers.ts')")).toMatch(
    /^MODULE_INVALID Cannot load ".*scorers\.ts": Cannot find package '@lib\/words'.*\nHint: Node loads TypeScript/,
  )
  symlinkSync(MODULES, join(root, 'node_modules'))
  for (const name of ['bad', 'broken']) {
    const said = await load(root, `await load('${name}.ts')`)
    expect(said).toMatch(new RegExp(`^MODULE_INVALID Cannot load ".*${name}\\.ts", not through Vite either: `))
  }
})

test('loadModule() loads what went through Vite anew, too', async () => {
  const root = project(ALIASED)
  symlinkSync(MODULES, join(root, 'node_modules'))
  const script = `
    const { writeFileSync } = await import('node:fs')
    const before = await load('scorers.ts')
    writeFileSync('${root}/scorers.ts', "import { Limit } from '@lib/words'\\nexport const few = Limit.Few + 1")
    console.log(before.few, (await load('scorers.ts')).few)`
  expect(await load(root, script)).toBe('3 4')
})

test('loadModule() leaves alone what a module throws itself', async () => {
  const root = project({ 'x.ts': "throw new Error('no key in the environment')" })
  expect(await load(root, "await load('x.ts')")).toMatch(
    /^MODULE_INVALID Cannot load ".*x\.ts": no key in the environment$/,
  )
  expect(await load(root, "await load('y.ts')")).toMatch(
    /^MODULE_NOT_FOUND Cannot load ".*y\.ts": module .* cannot be read: ENOENT/,
  )
})

test('loadModule() loads a module anew that has changed, and one that has not only once', async () => {
  const root = project({ 'x.ts': 'export const x = 1' })
  const script = `
    const { writeFileSync } = await import('node:fs')
    const [a, b] = [await load('x.ts'), await load('x.ts')]
    writeFileSync('${root}/x.ts', 'export const x = 2')
    const c = await load('x.ts')
    writeFileSync('${root}/x.ts', 'export const x = 1')
    console.log(a === b, c.x, (await load('x.ts')) === a)`
  expect(await load(root, script)).toBe('true 2 true')
})
