import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, scorer } from '../../src/index.ts'
import { openStore } from '../../src/place.ts'
import { folder } from '../data/evaluation.ts'
import { cli } from '../data/terminal.ts'

test('run() explains itself with exit code 0', async () => {
  const { code, out, err } = await cli(['--help'])
  expect([code, err]).toEqual([0, ''])
  for (const word of ['runs', 'show', 'export', 'search']) expect(out).toContain(`\n  ${word}`)
  const show = await cli(['show', '--help'])
  expect(show.code).toBe(0)
  expect(show.out).toContain('Usage: vitest-evaluate show [options] <run or trace> [row]')
  expect(show.out).toContain('--store <file>')
  expect(show.out).toContain('--json')
})

test.for([
  [['shw'], "error: unknown command 'shw'\n(Did you mean show?)"],
  [['show'], "error: missing required argument 'run or trace'"],
  [['runs', '--limt', '3'], "error: unknown option '--limt'\n(Did you mean --limit?)"],
  [['runs', '--limit', 'many'], 'must be an integer from 1'],
  [['search', '--limit', '0'], 'must be an integer from 1'],
  [['export', 'latest'], "error: missing required argument 'path'"],
  [['runs', 'too', 'many'], 'too many arguments'],
] as const)('run() refuses %j with exit code 1 and says why on stderr', async ([args, text]) => {
  const { code, out, err } = await cli(args)
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(text)
})

test('run() without a command explains itself, and fails', async () => {
  const { code, out, err } = await cli([])
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain('Usage: vitest-evaluate')
})

test('run() prints the sentence of a fault, not its stack', async () => {
  const path = join(folder(), 'none.sqlite')
  for (const args of [
    ['runs'],
    ['show', 'latest'],
    ['show', 'tr-1'],
    ['search', "status = 'OK'"],
    ['export', 'latest', 'x.csv'],
  ]) {
    const { code, out, err } = await cli([...args, '--store', path])
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(
      `Cannot open the store "${path}": there is no such file\nHint: evaluate or monitor something first, or name another store\n`,
    )
  }
})

test('run() takes width and colours from terminal and environment', async () => {
  const store = join(folder(), 'store.sqlite')
  await evaluate([{ inputs: 1 }], (n: number) => n, [scorer('s', () => true)], { store })
  const plain = await cli(['runs', '--store', store])
  expect(plain.out).not.toContain('\u001b')
  expect((await cli(['runs', '--store', store], { FORCE_COLOR: '1' })).out).toContain('\u001b[')
  expect((await cli(['runs', '--store', store], { FORCE_COLOR: '1', NO_COLOR: '1' })).out).toBe(plain.out)
  for (const line of plain.out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  await openStore(store, undefined).close()
})
