import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from './project.ts'

const CONFIG = `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate()], test: { include: ['src/**/*.ts'] } })
`

const FILES = {
  'vitest.config.ts': CONFIG,
  'src/unit.test.ts': "import { test } from 'vitest'\ntest('unit', () => {})\n",
  'src/bot.eval.ts': `import { expect } from 'vitest'
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
const ok = scorer('ok', () => true)
const slow = (x: number) => new Promise<number>((done) => setTimeout(done, 300, x))
test('bot', async ({ evaluate }) => {
  const run = await evaluate([{ inputs: 1 }], slow, [ok])
  expect(run).toBeComplete()
})
`,
}

for (const major of [5, 4] as const) {
  test(`every file runs in one project only, whatever the root includes, under Vitest ${major}`, async () => {
    const { vitest } = project(major, FILES)
    const listed = (await vitest('list')).stdout.trim().split('\n').sort()
    expect(listed).toEqual(['[evals] src/bot.eval.ts > bot', '[tests] src/unit.test.ts > unit'])
    const json = await vitest('run', '--reporter=json')
    const text = json.stdout.trim()
    // Vitest 4 writes the JSON to stdout, Vitest 5 into a file.
    if (major === 4) expect(JSON.parse(text)).toMatchObject({ success: true, numTotalTests: 2 })
    expect(`${json.stdout}${json.stderr}`).toContain('bot   1 row')
  })

  test(`evaluations and tests share one Vite server where they can, under Vitest ${major}`, async () => {
    const counting = `import { appendFileSync } from 'node:fs'\nappendFileSync('read.txt', 'x')\n${CONFIG}`
    const { folder, vitest } = project(major, { ...FILES, 'vitest.config.ts': counting })
    const { code, stdout } = await vitest('run')
    expect(code, stdout).toBe(0)
    // Vitest 4 has a server per project, and reads the configuration for each.
    expect(readFileSync(join(folder, 'read.txt'), 'utf8')).toHaveLength(major === 4 ? 3 : 1)
  })

  test(`evaluations belong to their tests also where files share their modules, under Vitest ${major}`, async () => {
    const file = (name: string) => `import { test } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'
test('${name}', async () => void (await evaluate([{ inputs: 1 }], () => 'x', [scorer('ok', () => true)])))
`
    const shared = CONFIG.replace('test: {', 'test: { isolate: false, maxWorkers: 1, ')
    const files = {
      'vitest.config.ts': shared,
      'a.eval.ts': file('one'),
      'b.eval.ts': file('two'),
      'c.eval.ts': file('three'),
    }
    const { vitest, cli } = project(major, files)
    const { code, stdout } = await vitest('run')
    expect(code, stdout).toBe(0)
    for (const name of ['one', 'two', 'three']) expect(stdout).toContain(` ${name}   1 row`)
    expect((await cli('runs')).stdout).not.toContain('evaluation')
  })

  test(`tests keep to the projects that another plugin makes, under Vitest ${major}`, async () => {
    const other = `{ name: 'other', config: () => ({ test: { projects: [{ extends: true, test: { name: 'mine', include: ['src/*.test.ts'] } }] } }) }`
    const config = CONFIG.replace('plugins: [', `plugins: [${other}, `)
    const { vitest } = project(major, { ...FILES, 'vitest.config.ts': config })
    const listed = (await vitest('list')).stdout.trim().split('\n').sort()
    expect(listed).toEqual(['[evals] src/bot.eval.ts > bot', '[mine] src/unit.test.ts > unit'])
  })

  test(`workers of evaluations keep what Node has compiled, those of tests are as they were, under Vitest ${major}`, async () => {
    const say = `import { test } from 'vitest'
import { getCompileCacheDir } from 'node:module'
test('says', () => console.log('kept in ' + getCompileCacheDir() + ' for ' + import.meta.url.split('/').at(-1)))
`
    const { vitest } = project(major, {
      'vitest.config.ts': CONFIG.replace('src/**/*.ts', 'src/*.test.ts'),
      'src/a.test.ts': say,
      'b.eval.ts': say,
    })
    const { stdout } = await vitest('run')
    expect(stdout).toMatch(/kept in \S*node-compile-cache\S* for b\.eval\.ts/)
    expect(stdout).toContain('kept in undefined for a.test.ts')
  })

  test(`an evaluation that nobody awaits fails its test under Vitest ${major}`, async () => {
    const forgotten = FILES['src/bot.eval.ts']
      .replace('const run = await evaluate', 'void evaluate')
      .replace('expect(run).toBeComplete()', '')
    const plain = `import { test } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'
test('plain', async () => {
  void evaluate([{ inputs: 1 }], () => new Promise((done) => setTimeout(done, 300)), [scorer('ok', () => true)])
})
`
    const { vitest, cli } = project(major, { ...FILES, 'src/bot.eval.ts': forgotten, 'src/plain.test.ts': plain })
    const { code, stdout, stderr } = await vitest('run')
    expect(code, stdout).toBe(1)
    expect(stderr).toContain('bot: evaluate() was not awaited')
    expect(stderr).toContain('plain: evaluate() was not awaited')
    expect((await cli('runs')).stdout).toMatch(/interrupted/)
  })
}
