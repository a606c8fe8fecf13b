import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { backfillScorers, listBackfills, planBackfillScorers, resumeBackfill } from '../../src/backfills.ts'
import { type getScorer, registerScorers } from '../../src/monitoring.ts'
import { samplePoint } from '../../src/sampling.ts'
import { scorer } from '../../src/scorer.ts'
import { exactMatch } from '../../src/scorers/index.ts'
import { sleep } from '../../src/std/async.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { cli } from '../data/terminal.ts'
import { arrive, EXPERIMENT, production, productionStore, said, storeFile, traceId } from '../data/watched.ts'

const experiment = EXPERIMENT
const DAY = 86_400_000
const INDEX = new URL('../../src/index.ts', import.meta.url).href
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** A store with registered scorers of a module, which write down every call. */
async function filled(n: number, requestTimeMs = (i: number) => Date.now() - 60_000 - i) {
  const root = folder()
  const calls = join(root, 'calls.txt')
  const module = join(root, 'scorers.ts')
  writeFileSync(
    module,
    `import { appendFileSync, existsSync } from 'node:fs'
import { scorer } from ${JSON.stringify(INDEX)}
const note = (name: string, id: string) => appendFileSync(${JSON.stringify(calls)}, \`\${name} \${id}\\n\`)
export const good = scorer('good', async ({ trace }) => {
  note('good', trace.id)
  await new Promise((resolve) => setTimeout(resolve, 2))
  return true
})
export const short = scorer('short', ({ trace, outputs }) => {
  note('short', trace.id)
  if (existsSync(${JSON.stringify(join(root, 'down'))})) throw new Error('down')
  return outputs.length < 10
})
`,
  )
  const path = storeFile()
  const store = productionStore(path)
  const [good] = await registerScorers(module, { store, experiment })
  await arrive(store, ...Array.from({ length: n }, (_, i) => production(i, { requestTimeMs: requestTimeMs(i) })))
  const asked = (name: string): string[] =>
    existsSync(calls)
      ? [...readFileSync(calls, 'utf8').matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map((m) => m[1] as string)
      : []
  return { root, path, store, asked, good: good as Awaited<ReturnType<typeof getScorer>>, place: { store, experiment } }
}
const all = (scorer: string) => ({ scorer, sampleRate: 1 })

test('backfillScorers() takes the last 7 days unless it is told otherwise', async () => {
  const { place, asked } = await filled(4, (i) => Date.now() - 60_000 - i * 3 * DAY)
  const job = await backfillScorers({ scorers: [all('good')], ...place })
  expect(await job.finished).toMatchObject({ id: job.id, status: 'finished', due: 3, scored: 3 })
  expect(job.progress).toMatchObject({ examined: 3, scored: 3 })
  expect(asked('good').sort()).toEqual([0, 1, 2].map(traceId))
})

test('backfillScorers() takes times as Date, milliseconds or text; without a start everything before the end', async () => {
  const start = Date.UTC(2026, 0, 1)
  const { place } = await filled(10, (i) => start + i * DAY)
  const due = async (options: object) =>
    (await planBackfillScorers({ scorers: [all('good')], ...place, ...options })).scorers[0]?.due
  expect(await due({ startTime: new Date(start + 3 * DAY), endTime: start + 5 * DAY })).toBe(2)
  expect(await due({ startTime: '2026-01-08T00:00:00Z' })).toBe(3)
  expect(await due({ endTime: '2026-01-03' })).toBe(2)
  expect(await due({ startTime: start + 9 * DAY + 1 })).toBe(0)
})

test('backfillScorers() takes names, instances and rates of their own; the second run costs nothing', async () => {
  const { place, asked, good } = await filled(200)
  const started = await good.start({ samplingConfig: { sampleRate: 0.5 } })
  const scorers = [started, { scorer: 'short', sampleRate: 0.2 }]
  const chosen = (rate: number) =>
    Array.from({ length: 200 }, (_, i) => traceId(i)).filter((id) => samplePoint(id) < rate)
  const { finished } = await backfillScorers({ scorers, ...place })
  expect((await finished).scorers).toEqual([
    { name: 'good', version: 1, sampleRate: 0.5 },
    { name: 'short', version: 1, sampleRate: 0.2 },
  ])
  expect(asked('good').sort()).toEqual(chosen(0.5))
  expect(asked('short').sort()).toEqual(chosen(0.2))
  expect(await (await backfillScorers({ scorers, ...place })).finished).toMatchObject({ due: 0, scored: 0 })
  await (await backfillScorers({ scorers: [all('short')], ...place })).finished
  expect(asked('short').sort()).toEqual(chosen(1))
  expect(asked('good')).toHaveLength(chosen(0.5).length)
})

test('planBackfillScorers() says what there is to do, and changes nothing', async () => {
  const { place, asked, store } = await filled(5)
  expect(await planBackfillScorers({ scorers: [all('good'), { scorer: 'short', sampleRate: 1 }], ...place })).toEqual({
    examined: 5,
    scorers: ['good', 'short'].map((name) => ({ name, level: 'trace', sampled: 5, due: 5 })),
  })
  expect(asked('good')).toEqual([])
  expect(await listBackfills({ store })).toEqual([])
})

test.each<[string, any, RegExp]>([
  [
    'an unknown scorer',
    { scorers: ['goood'] },
    /^Scheduled scorer "goood" not found in experiment "shop" \(did you mean "good"\?\)\nHint: registered are "good", "short"$/,
  ],
  [
    'a scorer that is not active',
    { scorers: ['good'] },
    /^Cannot backfill: scorer "good" is not active, and no rate is given for it\nHint: \{ scorer: "good", sampleRate: 1 \}, or start\(\) it$/,
  ],
  [
    'a rate of 0',
    { scorers: [{ scorer: 'good', sampleRate: 0 }] },
    /"sampleRate" must be above 0 and at most 1, found 0$/,
  ],
  [
    'a rate above 1',
    { scorers: [{ scorer: 'good', sampleRate: 1.5 }] },
    /"sampleRate" must be above 0 and at most 1, found 1.5$/,
  ],
  ['a rate that is no number', { scorers: [{ scorer: 'good', sampleRate: 'all' }] }, /at most 1, found "all"$/],
  [
    'a scorer that is not registered',
    { scorers: [scorer('loose', () => true)] },
    /^Cannot backfill: scorer "loose" is not registered\nHint: await scorer.register\(\)/,
  ],
  [
    'a ready scorer that is not registered',
    { scorers: [{ scorer: exactMatch(), sampleRate: 1 }] },
    /scorer "exact_match" is not registered/,
  ],
  [
    'what is no scorer',
    { scorers: [7] },
    /expected the name of a registered scorer, one itself, or \{ scorer, sampleRate \}, found 7$/,
  ],
  ['a scorer twice', { scorers: [all('good'), all('good')] }, /scorer "good" is there twice$/],
  [
    'no scorers',
    { scorers: [] },
    /"scorers" must be a list of registered scorers or their names, found an array of 0$/,
  ],
  [
    'an end before the start',
    { scorers: [all('good')], startTime: '2026-01-02', endTime: '2026-01-01' },
    /"startTime" must come before "endTime", found 2026-01-02T00:00:00.000Z and 2026-01-01T00:00:00.000Z$/,
  ],
  [
    'a time that is none',
    { scorers: [all('good')], startTime: 'soon' },
    /"startTime" must be a date, or milliseconds since 1970, found "soon"\nHint: such as 2026-11-14/,
  ],
  [
    'a time of another kind',
    { scorers: [all('good')], endTime: true },
    /"endTime" must be a date, or milliseconds since 1970, found true/,
  ],
  [
    'an unknown option',
    { scorers: [all('good')], startTimes: 1 },
    /unknown option "startTimes" \(did you mean "startTime"\?\)$/,
  ],
  [
    'a concurrency of 0',
    { scorers: [all('good')], maxConcurrency: 0 },
    /"maxConcurrency" must be an integer from 1, found 0$/,
  ],
])('backfillScorers() refuses %s, and does nothing', async (_, options, message) => {
  const { place, store, asked } = await filled(1)
  expect((await thrownBy(backfillScorers({ ...place, ...options }))).message).toMatch(message)
  expect([await listBackfills({ store }), asked('good')]).toEqual([[], []])
})

test('a scorer whose module is gone is found out before anything is done', async () => {
  const { place, store, root } = await filled(1)
  writeFileSync(join(root, 'scorers.ts'), 'export const other = 1')
  await store.registerScorer({
    experiment,
    name: 'lost',
    recipe: { kind: 'module', module: join(root, 'none.ts'), export: 'lost', digest: 'x' },
    digest: 'x',
    level: 'trace',
    registeredAt: 1,
  })
  expect((await thrownBy(backfillScorers({ scorers: [all('lost')], ...place }))).code).toBe('MODULE_NOT_FOUND')
  expect(await listBackfills({ store })).toEqual([])
})

test('a store that is not there is not made', async () => {
  const path = join(folder(), 'none.sqlite')
  const fault = await thrownBy(backfillScorers({ scorers: ['x'], store: path }))
  expect([fault.code, existsSync(path)]).toEqual(['STORE_NOT_READABLE', false])
})

test('a job that is interrupted is listed, and goes on from where it stands', async () => {
  const { place, store, asked } = await filled(400)
  const job = await backfillScorers({ scorers: [all('good')], ...place })
  expect(await listBackfills({ store })).toMatchObject([{ id: job.id, status: 'running' }])
  expect((await thrownBy(resumeBackfill(job.id, { store }))).message).toBe(
    `Cannot resume backfill "${job.id}": it is running`,
  )
  while (asked('good').length < 20) await sleep(5)
  expect((await job.interrupt()).status).toBe('interrupted')
  expect(asked('good').length).toBeLessThan(400)
  expect(await listBackfills({ store })).toMatchObject([{ id: job.id, status: 'interrupted' }])
  const again = await resumeBackfill(undefined, { store })
  expect(again.id).toBe(job.id)
  expect(await again.finished).toMatchObject({ status: 'finished', examined: 400, due: 400, scored: 400 })
  expect(new Set(asked('good')).size).toBe(400)
  expect((await thrownBy(resumeBackfill(job.id, { store }))).message).toContain('it is finished')
  expect((await thrownBy(resumeBackfill(undefined, { store }))).message).toContain('there is none that was interrupted')
  expect((await thrownBy(resumeBackfill('bf-x', { store }))).message).toContain('there is no such backfill')
  const wrong = { store, startTime: 5 } as never
  expect((await thrownBy(resumeBackfill(job.id, wrong))).message).toContain('unknown option "startTime"')
})

test('two who take up one backfill at once: one does, the other is told', async () => {
  const { place, store } = await filled(100)
  const job = await backfillScorers({ scorers: [all('good')], ...place })
  await job.interrupt()
  const both = await Promise.allSettled([resumeBackfill(job.id, { store }), resumeBackfill(job.id, { store })])
  const [won, lost] = [
    both.filter(({ status }) => status === 'fulfilled'),
    both.filter(({ status }) => status === 'rejected'),
  ]
  expect([won.length, lost.length]).toEqual([1, 1])
  expect((lost[0] as PromiseRejectedResult).reason.message).toMatch(/somebody else has just taken it up|it is running/)
  await (won[0] as PromiseFulfilledResult<Awaited<ReturnType<typeof resumeBackfill>>>).value.finished
})

test('killed again and again, a backfill scores every due trace, each once in the end', {
  timeout: 120_000,
}, async () => {
  const { path, store, asked, root } = await filled(1_500)
  const at = ['--store', path, '--root', root]
  const start = (...args: string[]) =>
    spawn(process.execPath, [MAIN, 'backfill', ...args, ...at], { stdio: ['ignore', 'ignore', 'inherit'] })
  for (let kill = 0; kill < 4; kill++) {
    const before = asked('good').length
    const child = kill === 0 ? start('good=1', '--experiment', experiment) : start('--resume')
    const exit = once(child, 'exit')
    while (asked('good').length < before + 60 && child.exitCode === null) await sleep(5)
    await sleep(Math.random() * 50)
    child.kill('SIGKILL')
    await exit
  }
  expect(await listBackfills({ store })).toMatchObject([{ status: 'interrupted' }])
  const [code] = await once(start('--resume'), 'exit')
  expect(code).toBe(0)
  expect((await said(store)).filter(({ good }) => good !== true)).toEqual([])
  expect(new Set(asked('good')).size).toBe(1_500)
  const [{ key } = { key: 0 }] = await store.registrations({ experiment, name: 'good' })
  expect((await store.countUnits([key])).map(({ state, count }) => [state, count])).toEqual([['done', 1_500]])
  for await (const { assessments } of store.search({ experiment })) expect(assessments).toHaveLength(1)
  expect(await listBackfills({ store })).toMatchObject([{ status: 'finished', examined: 1_500, sampled: 1_500 }])
})

test('backfill says how it goes, plans, lists, and prints JSON', async () => {
  const { path, root } = await filled(3)
  const at = ['--store', path, '--root', root, '--experiment', experiment]
  const dry = await cli(['backfill', 'good=1', 'short=0.999', '--dry-run', ...at])
  expect([dry.code, dry.err]).toEqual([0, ''])
  expect(dry.out).toBe(
    '3 traces in that time\n  good: 3 traces to score of 3 chosen, 0 scored before\n  short: 3 traces to score of 3 chosen, 0 scored before\nNothing was asked or changed (dry run)\n',
  )
  expect((await cli(['backfill', '--list', '--store', path])).out).toBe('There are no backfills\n')
  const done = await cli(['backfill', 'good=1', ...at])
  expect(done.code).toBe(0)
  expect(done.out).toMatch(
    /^Backfill (bf-\w+) of good \(1\)\nFinished after .*: 3 traces looked at, 3 of 3 scores done\n$/,
  )
  const again = JSON.parse((await cli(['backfill', 'good=1', '--json', ...at])).out)
  expect(again).toMatchObject({ status: 'finished', sampled: 3, due: 0, scored: 0 })
  expect((await cli(['backfill', '--list', '--store', path])).out.match(/finished/g)).toHaveLength(2)
  const recent = await cli(['backfill', 'good=1', '--from', '2h', '--to', '10s', '--dry-run', ...at])
  expect(recent.out).toContain('good: 0 traces to score of 3 chosen, 3 scored before')
  const none = await cli(['backfill', 'good=1', '--from', '2026-01-01', '--to', '2026-01-02', ...at])
  expect(none.out).toContain('0 traces looked at, 0 of 0 scores done')
})

test('backfill says what failed too often', async () => {
  const { path, root } = await filled(2)
  writeFileSync(join(root, 'down'), '')
  const store = productionStore(path)
  const job = await backfillScorers({ scorers: [all('short')], store, experiment, maxAttempts: 2, backoffMs: 5 })
  expect(await job.finished).toMatchObject({ status: 'finished', due: 2, scored: 0 })
  expect((await cli(['monitor', 'dead', '--store', path, '--experiment', experiment])).out).toContain('down')
})

test.each<[string, readonly string[], RegExp]>([
  ['no scorer', [], /^Cannot backfill: no scorer is named\nHint: /],
  ['a rate that is none', ['good=often'], /the rate of "good" must be above 0 and at most 1, found "often"/],
  ['an unknown scorer', ['goo=1'], /Scheduled scorer "goo" not found in experiment "shop"/],
  ['a time that is none', ['good=1', '--from', 'soon'], /^Cannot backfill: --from must be a time such as 7d/],
  ['--resume with scorers', ['good', '--resume'], /^Cannot resume a backfill/],
])('backfill refuses %s', async (_, args, message) => {
  const { path } = await filled(1)
  const { code, out, err } = await cli(['backfill', ...args, '--store', path, '--experiment', experiment])
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(message)
})

test('a backfill of another machine runs as long as it gives signs of life, and can be taken up then', async () => {
  const { place, store, asked } = await filled(3)
  const done = await (await backfillScorers({ ...place, scorers: [{ scorer: 'good', sampleRate: 1 }] })).finished
  const long = Date.now() - 10 * 60_000
  const gone = { ...done, status: 'running', updatedAt: long, process: { pid: 1, host: 'elsewhere' } } as const
  await store.keepNote({ kind: 'backfill', id: gone.id, data: { ...gone } })
  const beat = { pid: 1, host: 'elsewhere', startedAt: long, scored: 0 }
  const statuses = async () => (await listBackfills({ store })).map(({ status }) => status)
  await store.keepNote({ kind: 'monitor', id: 'it', data: { ...beat, beatAt: Date.now() } })
  expect(await statuses()).toEqual(['running'])
  await store.keepNote({ kind: 'monitor', id: 'it', data: { ...beat, beatAt: long } })
  expect(await statuses()).toEqual(['interrupted'])
  const { experiment: _, ...resuming } = place
  expect(await (await resumeBackfill(gone.id, resuming)).finished).toMatchObject({ status: 'finished' })
  expect(asked('good')).toHaveLength(3)
})
