import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openRun, searchTraces } from '../../../src/index.ts'
import { folder } from '../../data/evaluation.ts'
import { filled } from '../../data/filled.ts'
import { cli } from '../../data/terminal.ts'

test('export writes a run by the ending of the file, and says what it wrote', async () => {
  const { path, first } = await filled()
  const place = folder()
  for (const ending of ['jsonl', 'arrow', 'csv', 'parquet']) {
    const file = join(place, `run.${ending}`)
    expect(await cli(['export', 'bot', file, '--store', path])).toEqual({
      code: 0,
      out: `Wrote 5 rows of ${first.id} to ${file}\n`,
      err: '',
    })
    expect(readFileSync(file).length).toBeGreaterThan(300)
  }
  const { out } = await cli(['export', 'bot', join(place, 'again.jsonl'), '--json', '--store', path])
  expect(JSON.parse(out)).toEqual({ run: first.id, path: join(place, 'again.jsonl'), rows: 5 })
})

test('export to JSONL and Arrow loses nothing', async () => {
  const { path, first } = await filled()
  for (const ending of ['jsonl', 'arrow']) {
    const file = join(folder(), `run.${ending}`)
    await cli(['export', 'bot', file, '--store', path])
    const again = await openRun(file)
    expect(again.record).toEqual(first.record)
    expect(await Array.fromAsync(again.rows())).toEqual(await Array.fromAsync(first.rows()))
    expect((await cli(['export', file, join(folder(), 'copy.csv')])).code).toBe(0)
  }
})

test('export refuses what it cannot write, and leaves nothing behind', async () => {
  const { path } = await filled()
  const place = folder()
  writeFileSync(join(place, 'file'), 'x')
  const refused = async (which: string, file: string) => {
    const { code, out, err } = await cli(['export', which, file, '--store', path])
    expect([code, out]).toEqual([1, ''])
    return err
  }
  expect(await refused('bot', join(place, 'run.xlsx'))).toContain('.xlsx')
  expect(await refused('none', join(place, 'run.csv'))).toContain('Cannot open run "none"')
  expect(await refused('bot', join(place, 'file', 'run.csv'))).toContain(join(place, 'file', 'run.csv'))
  expect(readFileSync(join(place, 'file'), 'utf8')).toBe('x')
})

test('export writes the traces of a run, of a part of it or of the store for other systems', async () => {
  const { path, first } = await filled()
  const place = folder()
  const file = join(place, 'traces.json')
  expect((await cli(['export', 'bot', file, '--format', 'mlflow', '--store', path])).out).toBe(
    `Wrote 5 traces of ${first.id} to ${file} as mlflow\n`,
  )
  expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(5)
  const { out } = await cli([
    'export',
    'all',
    file,
    '--format',
    'otlp',
    '--filter',
    "status = 'ERROR'",
    '--store',
    path,
    '--json',
  ])
  const { traces } = JSON.parse(out)
  expect(traces).toBe(await searchTraces({ store: path, filter: "status = 'ERROR'" }).count())
  const { err, code } = await cli(['export', 'bot', file, '--filter', "status = 'OK'", '--store', path])
  expect([code, err]).toEqual([1, expect.stringContaining('Hint: --format otlp or --format mlflow exports traces')])
})
