import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  deadLetters,
  type MonitorReportOptions,
  monitorReport,
  monitorStatus,
  REPORT_CODES,
} from '../../../src/commands/quality.ts'
import { evaluate, scorer } from '../../../src/index.ts'
import { seeded } from '../../../src/std/random.ts'
import { sqlite } from '../../../src/stores/sqlite.ts'
import { folder } from '../../data/evaluation.ts'
import { produce, register, START } from '../../data/production.ts'
import { cli } from '../../data/terminal.ts'

/** A store in which something was said of 800 traces, one a minute, the second half not as good. */
async function shop(rate = 0.5): Promise<string> {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await register(store, 'shop', 'safe')
  const next = seeded(1)
  await produce(store, {
    experiment: 'shop',
    n: 800,
    said: (i) => [{ scorer: 'safe', value: next() < (i < 400 ? 0.9 : rate) }],
  })
  await store.close()
  return path
}

type Asked = Omit<MonitorReportOptions, 'store'>
const WEEK = { from: '2026-01-05', to: '2026-01-06' }

function printer() {
  const printed: string[] = []
  const output = { screen: { width: 100, colors: false }, print: (text: string) => void printed.push(text) }
  return { output, text: () => printed.join('\n') }
}

async function ask(store: string, options: Asked) {
  const { output, text } = printer()
  const code = await monitorReport({ store, ...options }, output)
  return { code, out: text() }
}

test('monitorReport() shows quality over time, and says by its code that it has drifted', async () => {
  const store = await shop()
  const { code, out } = await ask(store, { ...WEEK, reference: '200' })
  expect(code).toBe(REPORT_CODES.drift)
  expect(out).toContain(
    'shop: 1 alarm\n2026-01-05 00:00 to 2026-01-06 00:00 UTC · 24 windows of 1 h\nagainst the first 200',
  )
  expect(out).toMatch(/\nsafe +[▁▂▃▄▅▆▇█·]{24} +0\.\d{3} .* 800 .* drift: fell\n/)
  expect(out).toContain('! safe: the mean has fallen from 0.')
})

test('monitorReport() is content where nothing has changed, and with too little unless it is told otherwise', async () => {
  const store = await shop(0.9)
  expect((await ask(store, { ...WEEK, reference: '200' })).code).toBe(REPORT_CODES.ok)
  const little = await ask(store, WEEK)
  expect(little.code).toBe(REPORT_CODES.ok)
  expect(little.out).toContain('safe: no verdict yet: the reference has 800 of 1,000 values')
  expect((await ask(store, { ...WEEK, notEnough: 'fail' })).code).toBe(REPORT_CODES.notEnough)
  expect((await ask(store, { ...WEEK, reference: '200', notEnough: 'fail' })).code).toBe(REPORT_CODES.ok)
})

test('monitorReport() says what to do where nobody has said anything', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await register(store, 'shop', 'safe')
  await store.close()
  const { code, out } = await ask(path, { notEnough: 'fail' })
  expect(code).toBe(REPORT_CODES.notEnough)
  expect(out).toContain('no scorer has said anything yet')
  expect(out).toContain('! nothing in this time from safe')
})

test('monitorReport() gives JSON and Markdown, printed or in a file', async () => {
  const store = await shop()
  const { out, code } = await ask(store, { ...WEEK, reference: '200', json: true })
  const data = JSON.parse(out)
  expect(data).toMatchObject({
    verdict: 'drift',
    code: 1,
    experiment: 'shop',
    fromMs: START,
    columns: [
      { scorer: 'safe', column: { scored: 800 }, drift: { verdict: 'fall', isAlarm: true, reference: { n: 200 } } },
    ],
  })
  expect(data.columns[0].windows).toHaveLength(24)
  expect(code).toBe(1)
  const file = join(folder(), 'quality.md')
  const written = await ask(store, { ...WEEK, reference: '200', format: 'markdown', output: file })
  expect(written).toEqual({ code: 1, out: `Wrote the report of "shop" to ${file}` })
  expect(readFileSync(file, 'utf8')).toMatch(/^### `shop: 1 alarm`\n[\s\S]*\*\*drift: fell\*\*/)
  const json = join(folder(), 'quality.json')
  await ask(store, { ...WEEK, format: 'json', output: json })
  expect(JSON.parse(readFileSync(json, 'utf8')).experiment).toBe('shop')
  await expect(ask(store, { ...WEEK, output: join(file, 'x') })).rejects.toMatchObject({ code: 'EXPORT_FAILED' })
})

test('monitorReport() holds against a run, a stretch of time and with its own range and tolerance', async () => {
  const path = await shop()
  const store = sqlite(path)
  const rows = Array.from({ length: 100 }, (_, i) => ({ inputs: i }))
  await evaluate(rows, (i: number) => i, [scorer('careful', ({ outputs }) => outputs % 10 > 0)], {
    store,
    name: 'nightly',
  })
  await store.close()
  const run = await ask(path, { ...WEEK, reference: 'run:nightly/careful' })
  expect(run.out).toContain('of "nightly", column "careful"')
  expect(run.code).toBe(1)
  const stretch = await ask(path, { ...WEEK, reference: '2026-01-05..2026-01-05T05:00Z' })
  expect(stretch.out).toContain('against 2026-01-05T00:00:00.000Z to 2026-01-05T05:00:00.000Z')
  expect(stretch.code).toBe(1)
  expect((await ask(path, { ...WEEK, reference: '200', range: '0..1', tolerance: 0.6 })).code).toBe(0)
})

test.each<[Asked, string]>([
  [{ experiment: 'shp' }, 'no scorer is registered there (did you mean "shop"?)'],
  [{ scorer: ['saef'] }, 'no scorer "saef" is registered (did you mean "safe"?)'],
  [{ from: 'yesterday' }, '--from must be a time such as 7d (ago), 2026-01-05 or 2026-01-05T12:00Z, found "yesterday"'],
  [{ to: '2026' }, '--to must be a time such as'],
  [{ window: '0h' }, '--window must be a time such as 6h or 1d, found "0h"'],
  [{ window: '2026-01-05' }, '--window must be a time such as 6h or 1d'],
  [{ reference: 'first' }, '--reference must be a number of values, two times'],
  [{ reference: '7d..soon' }, '--reference must be a time such as'],
  [{ reference: '10' }, 'reference must be a whole number from 30 on, found 10'],
  [{ reference: 'run:nothing' }, 'Cannot open run "nothing"'],
  [{ range: '0-1' }, '--range must be two numbers such as 0..100, found "0-1"'],
  [{ range: '1..0' }, 'the range must rise, found 1 to 0'],
])('monitorReport() refuses %j', async (options, problem) => {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await register(store, 'shop', 'safe')
  await store.close()
  await expect(ask(path, options)).rejects.toThrow(problem)
})

test('the commands of monitoring need a store that is there', async () => {
  const store = join(folder(), 'none.sqlite')
  const { output } = printer()
  for (const asked of [
    monitorReport({ store }, output),
    monitorStatus({ store }, output),
    deadLetters({ store }, output),
  ])
    await expect(asked).rejects.toMatchObject({ code: 'STORE_NOT_READABLE' })
})

test('monitorStatus() and deadLetters() show how monitoring stands', async () => {
  const path = await shop()
  const store = sqlite(path)
  const { key } = (await store.configureScorer('shop', 'safe', { sampleRate: 0.25 })) ?? { key: 0 }
  const unit = { scorer: key, entity: 'tr-p-0000003', mark: 1 }
  const lease = { owner: 'me', nowMs: START, untilMs: START + 1 }
  await store.claim([unit], lease)
  await store.settle([{ ...unit, state: 'dead', error: { code: 'SCORER_THREW', message: 'boom' } }], lease)
  await store.close()
  const { output, text } = printer()
  await monitorStatus({ store: path }, output)
  await deadLetters({ store: path, experiment: 'shop', limit: 5 }, output)
  expect(text()).toMatch(/\nsafe +started +25 % /)
  expect(text()).toContain('! no monitor runs: start one with vitest-evaluate monitor')
  expect(text()).toMatch(/safe \(version 1\) +tr-p-0000003 +1 +SCORER_THREW +boom\n1 dead letter$/)
  const json = printer()
  await monitorStatus({ store: path, json: true }, json.output)
  expect(JSON.parse(json.text())).toMatchObject({
    scorers: [{ dead: 1, registration: { name: 'safe' } }],
    monitors: [],
  })
  const letters = printer()
  await deadLetters({ store: path, json: true }, letters.output)
  expect(JSON.parse(letters.text())).toMatchObject({ count: 1, letters: [{ entity: 'tr-p-0000003', attempts: 1 }] })
})

test('monitor report tells the shell apart what has drifted from what did not work', async () => {
  const store = await shop()
  const report = (...args: string[]) =>
    cli(['monitor', 'report', '--store', store, '--from', '2026-01-05', '--to', '2026-01-06', ...args])
  const drifted = await report('--reference', '200')
  expect(drifted).toMatchObject({ code: 1, err: '' })
  expect(drifted.out).toContain('shop: 1 alarm')
  expect((await report('--reference', '200', '--alarm', 'rise')).code).toBe(0)
  expect((await report('--not-enough', 'fail')).code).toBe(2)
  const wrong = await report('--experiment', 'shp')
  expect(wrong).toMatchObject({ code: 3, out: '' })
  expect(wrong.err).toContain('(did you mean "shop"?)')
  expect((await report('--alarm', 'never')).code).toBe(3)
})

test('monitor report draws in ASCII where the locale has nothing else', async () => {
  const store = await shop()
  const args = ['monitor', 'report', '--store', store, '--from', '2026-01-05', '--to', '2026-01-06']
  expect((await cli(args, { LANG: 'C' })).out).toMatch(/\nsafe +[_.:=+*# -]{14,24} +0\./)
  expect((await cli(args, { LANG: 'en_GB.UTF-8' })).out).toMatch(/\nsafe +[▁▂▃▄▅▆▇█·]{24} /)
  expect((await cli(args, { LANG: 'en_GB.UTF-8', TERM: 'linux' })).out).not.toContain('▁')
})
