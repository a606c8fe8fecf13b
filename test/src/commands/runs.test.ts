import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sqlite } from '../../../src/stores/sqlite.ts'
import { folder } from '../../data/evaluation.ts'
import { filled } from '../../data/filled.ts'
import { runRecord } from '../../data/records.ts'
import { cli } from '../../data/terminal.ts'

test('runs lists runs, newest first, with their figures', async () => {
  const { path, first, second } = await filled()
  const { code, out, err } = await cli(['runs', '--store', path])
  expect([code, err]).toEqual([0, ''])
  const [header, ...lines] = out.trimEnd().split('\n')
  expect(header).toMatch(/run +name +/)
  expect(lines.filter((line) => line.includes('run_')).map((line) => line.match(/run_\w+/)?.[0])).toEqual([
    second.id,
    first.id,
  ])
  expect(out).toMatch(/bot +.* 5 +1 /)
  expect(out).toContain('correct 0.5  shaky 0.5')
})

test('runs --json prints the records, and only those', async () => {
  const { path, first, second } = await filled()
  const { out } = await cli(['runs', '--json', '--store', path])
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify([second.record, first.record])))
})

test('runs takes name, experiment and a limit, and says when there are more', async () => {
  const { path, first } = await filled()
  const ids = async (...args: string[]) =>
    (JSON.parse((await cli(['runs', '--json', '--store', path, ...args])).out) as { id: string }[]).map(({ id }) => id)
  expect(await ids('--name', 'bot')).toEqual([first.id])
  expect(await ids('--experiment', first.experiment)).toHaveLength(2)
  expect(await ids('--experiment', 'none')).toEqual([])
  expect((await cli(['runs', '--limit', '1', '--store', path])).out).toContain('The newest 1 run; --limit shows more')
  expect((await cli(['runs', '--limit', '2', '--store', path])).out).not.toContain('shows more')
})

test('runs marks a run of another machine, of which nobody here can say that it still runs', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await store.createRun(runRecord({ id: 'run_far', startedAt: Date.now(), process: { pid: 1, host: 'elsewhere' } }))
  await store.close()
  expect((await cli(['runs', '--store', path])).out).toMatch(/run_far .* running\? /)
  const { out } = await cli(['show', 'run_far', '--store', path])
  expect(out.replace(/\s+/g, ' ')).toContain('its process is on "elsewhere", and nothing has come from it since')
})

test('runs of a store without runs says so', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await store.listRuns()
  await store.close()
  expect(await cli(['runs', '--store', path])).toEqual({ code: 0, out: 'No runs\n', err: '' })
  expect((await cli(['runs', '--json', '--store', path])).out).toBe('[]\n')
})
