import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { checkAnchors } from '../../src/anchors.ts'
import { backfillScorers } from '../../src/backfills.ts'
import { Guidelines } from '../../src/judges/index.ts'
import { registerScorers } from '../../src/monitoring.ts'
import { monitorTraces } from '../../src/overseer.ts'
import { readQuality } from '../../src/seen.ts'
import { encode } from '../../src/std/json.ts'
import type { Store } from '../../src/store.ts'
import { type Endpoint, endpoint } from '../data/endpoint.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { cli } from '../data/terminal.ts'
import { arrive, EXPERIMENT, production, productionStore, storeFile } from '../data/watched.ts'
import { ROOT } from '../e2e/project.ts'

const dist = (name: string) => pathToFileURL(join(ROOT, 'dist', 'src', name)).href

/** A model whose idea of English is that of `isEnglish`, by the number in the answer, and that may change its mind. */
const mind = { isEnglish: (_: number) => true, isAway: false }

async function judged(traces: number): Promise<{ store: Store; path: string; server: Endpoint }> {
  const server = await endpoint(({ messages }) => {
    if (mind.isAway) return { status: 401, raw: '{}' }
    const n = Number(/because of (\d+)/.exec(JSON.stringify(messages))?.[1])
    return { json: { rationale: 'as it reads', value: mind.isEnglish(n) ? 'yes' : 'no' } }
  })
  onTestFinished(() => server.close())
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  vi.stubEnv('OPENAI_API_KEY', 'key')
  onTestFinished(() => void vi.unstubAllEnvs())
  const path = storeFile()
  const store = productionStore(path)
  const judge = Guidelines({ name: 'english', guidelines: ['The answer is in English'], model: 'openai:/gpt-4.1-mini' })
  await (await judge.register({ experiment: EXPERIMENT, store })).start({ samplingConfig: { sampleRate: 1 } })
  const requestTimeMs = Date.now() - 3_600_000
  await arrive(
    store,
    ...Array.from({ length: traces }, (_, i) =>
      production(i, { outputs: encode(`because of ${i}.`), requestTimeMs: requestTimeMs + i }),
    ),
  )
  expect(await monitorTraces({ store, once: true })).toBe(traces)
  return { store, path, server }
}

beforeEach(() => {
  mind.isEnglish = (n) => n % 10 !== 0
  mind.isAway = false
})

test('checkAnchors() asks about the same traces each time, and tells a judge that has changed from one that has not', async () => {
  const { store, server } = await judged(60)
  const calls = server.journal.length
  const options = { store, experiment: EXPERIMENT, traces: 40 }
  const [first] = await checkAnchors(options)
  expect(first).toMatchObject({ scorer: 'english', verdict: 'first', traces: 40, errors: 0, columns: [] })
  // Its kept answers would say nothing of the model of today.
  expect(server.journal.length - calls).toBe(40)

  const [same] = await checkAnchors(options)
  expect(same).toMatchObject({ verdict: 'same', traces: 40, firstRunId: first?.runId })
  expect(same?.columns).toMatchObject([{ name: 'english', n: 40, differ: 0, verdict: 'same' }])
  expect(same?.columns[0]?.before).toBe(same?.columns[0]?.after)

  mind.isEnglish = (n) => n % 2 !== 0
  const [changed] = await checkAnchors(options)
  expect(changed).toMatchObject({ verdict: 'changed', traces: 40, firstRunId: first?.runId })
  const [column] = changed?.columns ?? []
  expect(column?.differ).toBeGreaterThan(8)
  expect(column?.difference?.interval?.high).toBeLessThan(0)

  const report = await readQuality({ store, experiment: EXPERIMENT })
  expect(report.anchors).toEqual([changed])
  // What it said of the anchors is nobody's word on production.
  expect(report.columns).toMatchObject([{ name: 'english', column: { rows: 60, scored: 60 } }])

  const anchored = async (runId: string | undefined) =>
    (await Array.fromAsync(store.search({ runId: runId ?? '' }))).map(({ trial }) => trial?.rowId)
  const [renewed] = await checkAnchors({ ...options, renew: true })
  expect(renewed).toMatchObject({ verdict: 'first', traces: 40, columns: [] })
  expect(new Set(await anchored(renewed?.runId))).not.toEqual(new Set(await anchored(first?.runId)))
})

test('anchors are copies: what they were made of is scored, archived and found as before, and they are not scored themselves', async () => {
  const { store, server } = await judged(20)
  await checkAnchors({ store, experiment: EXPERIMENT })
  const calls = server.journal.length
  expect(await monitorTraces({ store, once: true, completionBufferMs: 0 })).toBe(0)
  const job = await backfillScorers({ store, experiment: EXPERIMENT, scorers: ['english'] })
  expect(await job.finished).toMatchObject({ status: 'finished', scored: 0 })
  expect(server.journal.length).toBe(calls)
  const found = await Array.fromAsync(store.search({ experiment: EXPERIMENT }))
  const copies = found.filter(({ trace }) => trace.tags['vitest-evaluate.anchorOf'] !== undefined)
  expect([found.length, copies.length]).toEqual([40, 20])
  expect(found.filter(({ trace }) => trace.id.startsWith('tr-0000'))).toHaveLength(20)
})

test('checkAnchors() finds the judges that modules export, and leaves code alone unless it is named', async () => {
  const { store } = await judged(20)
  const root = folder()
  writeFileSync(
    join(root, 'scorers.mjs'),
    `import { Guidelines } from '${dist('judges/index.js')}'
import { scorer } from '${dist('index.js')}'
export const terse = Guidelines({ name: 'terse', guidelines: ['The answer is short'], model: 'openai:/gpt-4.1-mini' })
export const short = scorer('short', ({ outputs }) => outputs.length < 60)
`,
  )
  for (const scorer of await registerScorers(join(root, 'scorers.mjs'), { store, experiment: EXPERIMENT }))
    await scorer.start({ samplingConfig: { sampleRate: 1 } })
  const job = await backfillScorers({ store, root, experiment: EXPERIMENT, scorers: ['terse', 'short'] })
  expect(await job.finished).toMatchObject({ status: 'finished', scored: 40 })
  const checks = await checkAnchors({ store, root, experiment: EXPERIMENT })
  expect(checks.map(({ scorer, verdict }) => [scorer, verdict])).toEqual([
    ['english', 'first'],
    ['terse', 'first'],
  ])
  expect(await checkAnchors({ store, root, experiment: EXPERIMENT, scorers: ['short'] })).toMatchObject([
    { scorer: 'short', verdict: 'first', traces: 20 },
  ])
})

test('a check in which the model is away is said, and is no measure of later ones', async () => {
  const { store, path } = await judged(20)
  mind.isAway = true
  const at = ['--store', path, '--experiment', EXPERIMENT]
  const away = await cli(['monitor', 'anchors', ...at])
  expect([away.code, away.err, away.out]).toEqual([2, '', '! english: 20 anchors could not be judged\n'])
  mind.isAway = false
  expect(await checkAnchors({ store, experiment: EXPERIMENT })).toMatchObject([{ verdict: 'first', errors: 0 }])
  expect(await checkAnchors({ store, experiment: EXPERIMENT })).toMatchObject([
    { verdict: 'same', columns: [{ n: 20, differ: 0 }] },
  ])
  mind.isAway = true
  const again = await cli(['monitor', 'anchors', ...at])
  expect([again.code, again.out.trim()]).toEqual([2, '! english: 20 anchors could not be judged'])
})

test('checkAnchors() takes another model for another judge, whose first verdicts are a measure of their own', async () => {
  const { store } = await judged(20)
  const judge = Guidelines({ name: 'english', guidelines: ['The answer is in English'], model: 'openai:/gpt-4.1' })
  await checkAnchors({ store, experiment: EXPERIMENT })
  mind.isEnglish = () => false
  await judge.register({ experiment: EXPERIMENT, store })
  const [other] = await checkAnchors({ store, experiment: EXPERIMENT })
  expect(other).toMatchObject({ verdict: 'first', traces: 20 })
})

test('monitor anchors says how judges stand, and the report does', async () => {
  const { store, path } = await judged(60)
  const at = ['--store', path, '--experiment', EXPERIMENT]
  const first = await cli(['monitor', 'anchors', ...at])
  expect([first.code, first.err]).toEqual([0, ''])
  expect(first.out).toMatch(/^ {2}english: its first verdicts on 60 anchors, \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
  mind.isEnglish = (n) => n % 3 === 0
  const changed = await cli(['monitor', 'anchors', 'english', ...at])
  expect([changed.code, changed.err]).toEqual([1, ''])
  expect(changed.out.replace(/\s+/g, ' ')).toMatch(
    /^! english: the judge has changed since .* UTC, whatever the app has done: 38 of 60 anchors judged otherwise; mean 0\.900 then and 0\.333 now, a difference between −0\.\d+ and −0\.\d+ npx vitest-evaluate compare run_\w+ run_\w+ --store \S+ $/,
  )
  const [, compare] = /(compare run_\w+ run_\w+ --store \S+)/.exec(changed.out) ?? []
  expect((await cli((compare ?? '').split(' '))).out).toContain('english')
  expect(JSON.parse((await cli(['monitor', 'anchors', ...at, '--json'])).out)).toMatchObject([{ verdict: 'changed' }])
  expect((await cli(['monitor', 'report', ...at])).out.replace(/\s+/g, ' ')).toContain('english: the judge has changed')
  await store.close()
})

test('checkAnchors() sees a judge that changes its mind both ways, whose mean is what it was', async () => {
  const { store } = await judged(40)
  const options = { store, experiment: EXPERIMENT }
  mind.isEnglish = (n) => n % 2 === 0
  await checkAnchors(options)
  mind.isEnglish = (n) => n % 2 !== 0
  const [turned] = await checkAnchors(options)
  expect(turned).toMatchObject({
    verdict: 'changed',
    columns: [{ n: 40, differ: 40, before: 0.5, after: 0.5, difference: { value: 0 } }],
  })
})

test('checkAnchors() goes by what the judge has said itself, whatever people have corrected', async () => {
  const { store } = await judged(20)
  const options = { store, experiment: EXPERIMENT }
  const [first] = await checkAnchors(options)
  for await (const { trace, assessments } of store.search({ runId: first?.runId ?? '' })) {
    const said = assessments.find(({ name }) => name === 'english')
    const source = { type: 'HUMAN', id: 'ann' } as const
    await store.logAssessment(trace.id, {
      kind: 'feedback',
      name: 'english',
      value: 'no',
      source,
      createdAt: Date.now(),
      ...(said && { overrides: said.id }),
      ...(first?.runId !== undefined && { runId: first.runId }),
    })
  }
  expect(await checkAnchors(options)).toMatchObject([{ verdict: 'same', columns: [{ n: 20, differ: 0, before: 0.9 }] }])
  mind.isEnglish = () => false
  expect(await checkAnchors(options)).toMatchObject([
    { verdict: 'changed', columns: [{ n: 20, before: 0.9, after: 0 }] },
  ])
})

test('anchors are traces that went well, of no session, and a scorer that is registered anew has none of its own yet', async () => {
  const { store } = await judged(20)
  const requestTimeMs = Date.now() - 60_000
  const more = { requestTimeMs, sessionId: 'talk', outputs: encode('because of 7.') }
  await arrive(store, ...Array.from({ length: 10 }, (_, i) => production(100 + i, { ...more, status: 'ERROR' })))
  await arrive(store, ...Array.from({ length: 10 }, (_, i) => production(200 + i, more)))
  await monitorTraces({ store, once: true, completionBufferMs: 0 })
  const [first] = await checkAnchors({ store })
  expect(first).toMatchObject({ verdict: 'first', traces: 30, errors: 0 })
  const anchors = await Array.fromAsync(store.search({ runId: first?.runId ?? '' }))
  expect(anchors.filter(({ trace }) => trace.sessionId !== undefined || trace.status === 'ERROR')).toEqual([])
  expect(anchors.map(({ trace }) => JSON.parse(trace.outputs ?? 'null'))).toContain('because of 7.')

  await Guidelines({ name: 'english', guidelines: ['No French'], model: 'openai:/gpt-4.1-mini' }).register({
    experiment: EXPERIMENT,
    store,
  })
  expect((await readQuality({ store })).anchors).toBeUndefined()
})

test('checkAnchors() says which judge cannot be checked, and checks the others', async () => {
  const { store, path } = await judged(20)
  const young = Guidelines({ name: 'aaa young', guidelines: ['Short'], model: 'openai:/gpt-4.1-mini' })
  await (await young.register({ experiment: EXPERIMENT, store })).start({ samplingConfig: { sampleRate: 1 } })
  const problem =
    'Cannot choose anchors of "aaa young": it has judged 0 traces of the last 30 days, and 10 are needed\nHint: vitest-evaluate backfill aaa young lets it judge more'
  expect(await checkAnchors({ store })).toMatchObject([
    { scorer: 'aaa young', verdict: 'unknown', problem },
    { scorer: 'english', verdict: 'first', traces: 20 },
  ])
  const printed = await cli(['monitor', 'anchors', '--store', path])
  expect([printed.code, printed.err]).toEqual([2, ''])
  expect(printed.out.replace(/\s+/g, ' ')).toMatch(
    /^! aaa young: Cannot choose anchors .* lets it judge more english: no change of the judge shows since/,
  )
})

test('checkAnchors() refuses what cannot be checked, in one sentence', async () => {
  const { store, path } = await judged(5)
  const refused = async (options: object) => (await thrownBy(checkAnchors({ store, ...options }))).message
  expect(await refused({ traces: 3 })).toBe('Cannot check anchors: "traces" must be an integer from 10, found 3')
  expect(await refused({ scorers: 'english' })).toBe(
    'Cannot check anchors: "scorers" must be a list of names, found "english"',
  )
  expect(await refused({ scorers: ['englisch'] })).toContain('registered are "english"')
  expect(await refused({ experiment: 'other' })).toContain('no judge of traces is started in experiment "other"')
  expect(await refused({ trces: 3 })).toContain('unknown option "trces" (did you mean "traces"?)')
  expect((await cli(['monitor', 'anchors', 'x', '--store', path])).code).toBe(3)
})
