import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { evaluate, listRuns, scorer } from '../../../src/index.ts'
import { openStore } from '../../../src/place.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

const even = scorer('even', ({ outputs }) => outputs % 2 === 0)

/** A store with one run per name, of as many rows as the name has letters. */
async function storeWith(path: string, ...names: string[]): Promise<string> {
  onTestFinished(() => openStore(path).close())
  for (const name of names) {
    const rows = Array.from(name, (_, inputs) => ({ inputs }))
    await evaluate(rows, (n: number) => n, [even], { store: path, name })
  }
  return path
}

/** Two stores, with two runs and one, and a place for what becomes of them. */
async function shards() {
  const place = folder()
  const one = await storeWith(join(place, 'shard-1-of-2.sqlite'), 'one', 'three')
  const two = await storeWith(join(place, 'shard-2-of-2.sqlite'), 'fo')
  const all = join(place, 'all.sqlite')
  onTestFinished(() => openStore(all).close())
  return { place, one, two, all }
}

const rowsOf = async (store: string) => (await listRuns({ store })).map(({ name, totals }) => [name, totals.rows])

const MERGED = [
  ['fo', 2],
  ['three', 5],
  ['one', 3],
]

test('merge brings the runs of several stores into one, in the order in which they began, as often as asked', async () => {
  const { one, two, all } = await shards()
  for (const files of [[two, one], [one, two], [one]]) {
    const { code, out, err } = await cli(['merge', ...files, '--store', all])
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      files.length === 2 ? `Merged 3 runs of 2 stores into ${all}\n` : `Merged 2 runs of 1 store into ${all}\n`,
    )
    expect(await rowsOf(all)).toEqual(MERGED)
  }
  expect((await cli(['search', 'feedback.even = true', '--store', all, '--json'])).out).toContain('"count": 6,')
  expect(await rowsOf(one)).toHaveLength(2)
})

test('merge --json prints the store and the runs', async () => {
  const { one, two, all } = await shards()
  const { out } = await cli(['merge', one, two, '--json', '--store', all])
  const ids = (await listRuns({ store: all })).map(({ id }) => id)
  expect(JSON.parse(out)).toEqual({ store: all, runs: ids.toReversed() })
})

test('merge of all files of a folder takes each once, and its destination for what it is', async () => {
  const { one, two, all } = await shards()
  await cli(['merge', one, '--store', all])
  const { code, out } = await cli(['merge', all, one, two, one, '--store', all])
  expect([code, out]).toEqual([0, `Merged 3 runs of 2 stores into ${all}\n`])
  expect(await rowsOf(all)).toEqual(MERGED)
  const alone = await cli(['merge', all, '--store', all])
  expect([alone.code, alone.out]).toEqual([1, ''])
  expect(alone.err).toBe(
    `Cannot merge: there is no other store than "${all}", into which they are merged\nHint: name the stores of the shards; --store is the one to write\n`,
  )
})

test('merge finds that a store is missing before it copies anything', async () => {
  const { place, one, all } = await shards()
  const missing = join(place, 'shard-3-of-2.sqlite')
  const { code, out, err } = await cli(['merge', one, missing, '--store', all])
  expect([code, out]).toEqual([1, ''])
  expect(err).toBe(
    `Cannot open the store "${missing}": there is no such file\nHint: evaluate or monitor something first, or name another store\n`,
  )
  expect([existsSync(all), existsSync(missing)]).toEqual([false, false])
})

test('merge says which file is no store, and keeps what it has merged before', async () => {
  const { place, one, two, all } = await shards()
  const notes = join(place, 'notes.txt')
  writeFileSync(notes, 'my notes, which are longer than a header '.repeat(50))
  onTestFinished(() => openStore(notes).close())
  const { code, out, err } = await cli(['merge', one, notes, two, '--store', all])
  expect([code, out, err]).toEqual([1, '', `Cannot open the store "${notes}": it is not a database\n`])
  expect(await rowsOf(all)).toEqual(MERGED.slice(1))
  expect((await cli(['merge', one, two, '--store', notes])).err).toContain(`"${notes}": it is not a database`)
  expect((await cli(['merge', one, two, '--store', all])).code).toBe(0)
  expect(await rowsOf(all)).toEqual(MERGED)
})

test('merge --help says that its store is written', async () => {
  expect((await cli(['merge', '--help'])).out).toMatch(/--store <file> +the store to write \(default:/)
  expect((await cli(['runs', '--help'])).out).toMatch(/--store <file> +the store to read \(default:/)
})
