import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project } from './project.ts'

/** The reporter by name, without the plugin; options; a store that cannot be used. */

const BY_NAME = `
import { defineConfig } from 'vitest/config'
export default defineConfig({
  test: { include: ['**/*.eval.ts'], reporters: ['default', ['vitest-evaluate/reporter', { store: 'kept/here.sqlite', experiment: 'mine' }]] },
})`

const SLOW = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('slow', async ({ evaluate }) => {
  const slow = async (n: number) => new Promise<number>((done) => setTimeout(() => done(n), 110))
  await evaluate(Array.from({ length: 25 }, (_, inputs) => ({ inputs })), slow, [scorer('s', () => true)], { maxConcurrency: 1 })
})`

const TWICE = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({
  plugins: [evaluate({ store: 'plugin.sqlite', maxConcurrency: 2 })],
  test: { reporters: ['default', 'vitest-evaluate/reporter'] },
})`

const QUICK = `
import { expect } from 'vitest'
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('quick', async ({ evaluate }) => {
  let [inWork, most] = [0, 0]
  const predict = async () => {
    most = Math.max(most, ++inWork)
    await new Promise((done) => setTimeout(done, 2))
    inWork--
  }
  await evaluate(Array.from({ length: 8 }, (_, inputs) => ({ inputs })), predict, [scorer('s', () => true)])
  expect(most).toBe(2)
})`

test.for([5, 4] as const)(
  'the reporter works by name under Vitest %i, with sparse lines of progress in a log',
  async (major) => {
    const p = project(major, { 'vitest.config.ts': BY_NAME, 'slow.eval.ts': SLOW })
    const { code, stdout, stderr } = await p.vitest('run')
    expect([code, stderr], stdout).toEqual([0, ''])
    expect(stdout).toContain('\n slow   25 rows')
    expect(stdout).toContain('stored in kept/here.sqlite as run_')
    expect(existsSync(join(p.folder, 'kept', 'here.sqlite'))).toBe(true)
    const progress = stdout.split('\n').filter((line) => /^slow: \d+ of 25 rows, .* rows\/s, \d+ s left$/.test(line))
    expect(progress.length, stdout).toBeGreaterThanOrEqual(1)
    expect(progress.length).toBeLessThanOrEqual(3)
    const runs = JSON.parse((await p.cli('runs', '--json', '--store', 'kept/here.sqlite')).stdout)
    expect(runs).toMatchObject([{ name: 'slow', experiment: 'mine' }])
  },
)

test.for([5, 4] as const)(
  'plugin and reporter together print once under Vitest %i, and a store that is out of order is said so',
  async (major) => {
    const p = project(major, { 'vitest.config.ts': TWICE, 'quick.eval.ts': QUICK })
    const { code, stdout, stderr } = await p.vitest('run')
    expect([code, stderr], stdout).toEqual([0, ''])
    expect(stdout.split('\n quick   8 rows')).toHaveLength(2)
    expect(stdout).toContain('stored in plugin.sqlite as run_')

    p.write({ 'notes.txt': 'not a database, but quite long, so that it is no header '.repeat(20) })
    mkdirSync(join(p.folder, 'dir'))
    p.write({ 'vitest.config.ts': TWICE.replace('plugin.sqlite', 'notes.txt') })
    const broken = await p.vitest('run')
    expect(broken.code).toBe(1)
    expect(broken.stderr).toContain('notes.txt": it is not a database')
    expect(broken.stdout + broken.stderr).not.toContain('Unhandled')
  },
)
