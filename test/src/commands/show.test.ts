import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder } from '../../data/evaluation.ts'
import { filled } from '../../data/filled.ts'
import { cli } from '../../data/terminal.ts'

test('show prints the table of a run, by latest, id, start of an id and name', async () => {
  const { path, first, second } = await filled()
  const { code, out, err } = await cli(['show', 'bot', '--store', path])
  expect([code, err]).toEqual([0, ''])
  for (const text of ['bot', 'correct', 'shaky', 'the backend is down', first.id]) expect(out).toContain(text)
  for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  for (const which of [first.id, first.id.slice(0, -2)]) {
    // Two runs within one test may begin alike for all but the last digits.
    if (!second.id.startsWith(which)) expect((await cli(['show', which, '--store', path])).out).toBe(out)
  }
  expect((await cli(['show', 'latest', '--store', path])).out).toContain(second.id)
})

test('show --json prints the record of a run', async () => {
  const { path, first } = await filled()
  expect(JSON.parse((await cli(['show', 'bot', '--json', '--store', path])).out)).toEqual(
    JSON.parse(JSON.stringify(first.record)),
  )
})

test('show of a row prints all there is to know about it', async () => {
  const { path, first } = await filled()
  const { code, out } = await cli(['show', 'bot', '5', '--store', path])
  expect(code).toBe(0)
  for (const text of [
    'What is a row?',
    'correct',
    '14 characters',
    'shaky',
    'SCORER_THREW',
    'judge is down',
    'look up',
    'RETRIEVER',
    'length',
    '14',
    first.id,
  ])
    expect(out).toContain(text)
  const failed = (await cli(['show', 'bot', '4', '--store', path])).out
  for (const text of ['Is it down?', 'PREDICT_THREW', 'the backend is down']) expect(failed).toContain(text)
})

test('show of a row finds it by number, by id, and by its trace', async () => {
  const { path, first } = await filled()
  const [row] = await Array.fromAsync(first.rows())
  const { out } = await cli(['show', 'bot', '1', '--store', path])
  expect(out).toContain('What is a span?')
  expect((await cli(['show', 'bot', row?.id as string, '--store', path])).out).toBe(out)
  expect((await cli(['show', row?.trace.id as string, '--store', path])).out).toBe(out)
})

test('show of a row that was evaluated again puts its pair beside it', async () => {
  const { path, first } = await filled()
  const { out } = await cli(['show', 'bot again', '1', '--store', path])
  expect(out).toContain('What is a trace?'.slice(0, 15))
  expect(out).toContain('WHAT IS A TRACE?')
  expect(out).toContain(first.id)
  const json = JSON.parse((await cli(['show', 'bot again', '1', '--json', '--store', path])).out)
  expect(json).toMatchObject({
    trial: { index: 0 },
    trace: { outputs: 'WHAT IS A TRACE?' },
    pair: { run: { id: first.id }, trace: { outputs: 'What is a trace' } },
  })
  expect(json.pair.trial.rowId).toBe(json.trial.rowId)
})

test('show lets nothing in a row steer the terminal', async () => {
  const { path } = await filled()
  for (const args of [['bot'], ['bot', '3'], ['bot again', '2']]) {
    const { code, out } = await cli(['show', ...args, '--store', path])
    expect(code).toBe(0)
    expect(out).not.toContain('\u001b')
  }
})

test('show says of what is not there what is', async () => {
  const { path, first } = await filled()
  const refused = async (...args: string[]) => {
    const { code, out, err } = await cli(['show', ...args, '--store', path])
    expect([code, out]).toEqual([1, ''])
    return err
  }
  expect(await refused('bott')).toContain('Cannot open run "bott"')
  expect(await refused('bott')).toContain('(did you mean "bot"?)')
  for (const row of ['6', '0', '-1', '1.5', 'none', '']) {
    if (row === '-1') continue
    expect(await refused('bot', row)).toBe(
      `Cannot show row "${row}" of ${first.id}: there is no such row\nHint: rows are numbered from 1 to 5, or named by their id\n`,
    )
  }
  expect(await refused('tr-none')).toContain('Cannot show "tr-none"')
})

test('show opens an exported file', async () => {
  const { path, first } = await filled()
  const file = join(folder(), 'bot.jsonl')
  await first.export(file)
  expect((await cli(['show', file, '5'])).out).toContain('judge is down')
  expect((await cli(['show', file])).out).toContain('the backend is down')
  expect((await cli(['show', 'bot', '--store', path])).code).toBe(0)
})
