import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UnitOutcome } from '../../src/queue.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { corrected, lease, registration, said, trace } from '../data/monitored.ts'
import { runRecord } from '../data/records.ts'

/** One step of somebody who works on a store; gives whatever the store says, and what stands in it after. */
type Command = readonly [name: string, run: (store: Store) => Promise<unknown>]

const EXPERIMENTS = ['exp', 'other'] as const
const SCORERS = ['a', 'b', 'chat'] as const
const SESSIONS = ['s1', 's2'] as const
const TRACES = ['tr-0', 'tr-1', 'tr-2', 'tr-3'] as const
const OWNERS = ['me', 'you'] as const
/** Beyond every clock. */
const FAR = 9e12

const one = <T>(items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items)
const time = fc.constantFrom(0, 50, 100, 150, 200, 400, FAR)
const mark = fc.integer({ min: 0, max: 3 })
const key = fc.integer({ min: 1, max: 4 })
const entity = fc.oneof(one(TRACES), one(SESSIONS))
const by = fc.record({ owner: one(OWNERS), nowMs: time, span: fc.constantFrom(0, 100, 300) })
const byLease = by.map(({ owner, nowMs, span }) => lease(owner, nowMs, nowMs + span))
const unit = fc.record({ scorer: key, entity, mark, dueAt: time }, { requiredKeys: ['scorer', 'entity', 'mark'] })
const units = fc.array(unit, { maxLength: 4 })
const write = fc.record({
  id: one(TRACES),
  session: one([undefined, ...SESSIONS]),
  experiment: one(EXPERIMENTS),
  outputs: one(['1', '2']),
})
const traces = fc.array(
  write.map(({ id, session, experiment, outputs }) =>
    trace(id, { experiment, outputs, ...(session !== undefined && { sessionId: session }) }),
  ),
  { minLength: 1, maxLength: 3 },
)
const saying = fc.array(
  fc.record({ name: one(['a', 'a/x']), value: fc.integer({ min: 0, max: 9 }), span: one([undefined, '1'.repeat(16)]) }),
  { maxLength: 3 },
)
const outcome: fc.Arbitrary<UnitOutcome> = fc
  .record({
    scorer: key,
    entity,
    mark,
    state: one(['done', 'done', 'retry', 'dead', 'unfit', 'free'] as const),
    crashed: fc.boolean(),
    usd: fc.integer({ min: 0, max: 3 }),
    rest: fc.record(
      { dueAt: time, error: fc.constant({ code: 'X', message: 'm' }), traceId: one(TRACES) },
      { requiredKeys: [] },
    ),
    said: saying,
  })
  .map(({ rest, said: list, ...plain }) => ({
    ...plain,
    ...rest,
    assessments: list.map(({ name, value, span }) => said(name, value, span === undefined ? {} : { spanId: span })),
  }))

const command: fc.Arbitrary<Command> = fc.oneof(
  fc
    .record({ name: one(SCORERS), digest: one(['d1', 'd2']), experiment: one(EXPERIMENTS) })
    .map(
      ({ name, digest, experiment }): Command => [
        `register ${experiment} ${name} ${digest}`,
        (store) =>
          store.registerScorer(
            registration(name, { digest, experiment, level: name === 'chat' ? 'session' : 'trace' }),
          ),
      ],
    ),
  fc
    .record({ name: one(SCORERS), rate: one([0, 0.5, 1]), filter: one([undefined, 'f']) })
    .map(
      ({ name, rate, filter }): Command => [
        `configure ${name} ${rate} ${filter}`,
        (store) => store.configureScorer('exp', name, { sampleRate: rate, ...(rate > 0 && { filterString: filter }) }),
      ],
    ),
  fc
    .record({ name: one(SCORERS), version: one([undefined, 1, 2]) })
    .map(
      ({ name, version }): Command => [
        `delete ${name} ${version}`,
        (store) => store.deleteScorer('exp', name, version),
      ],
    ),
  traces.map(
    (list): Command => [
      `write ${list.map(({ id }) => id)}`,
      (store) => store.writeTraces(list.map((item) => ({ trace: item, assessments: [said('x', 1)] }))),
    ],
  ),
  fc.tuple(traces, fc.boolean()).map(
    ([list, knows]): Command => [
      `put ${list.map(({ id }) => id)} ${knows}`,
      async (store) => {
        const standing = await store.standing(list.map(({ id }) => id))
        const was = (id: string) => standing.find((item) => item.trace.id === id)?.position
        return store.putTraces(
          list.map((item) => ({
            trace: item,
            ...(knows && was(item.id) !== undefined && { was: was(item.id) as number }),
          })),
        )
      },
    ],
  ),
  fc.tuple(one(TRACES), one([0, 1])).map(
    ([id, attempts]): Command => [
      `trial ${id} ${attempts}`,
      async (store) => {
        const index = (await store.trials('run_a')).length
        const place = { index, repeat: 0, rowId: `${index}`, status: 'ok', attempts } as const
        await store.writeTrial('run_a', { ...place, trace: trace(id), assessments: [] })
        await store.flush()
      },
    ],
  ),
  fc
    .tuple(one(TRACES), fc.nat(3), fc.boolean())
    .map(
      ([id, ordinal, overrides]): Command => [
        `correct ${id} ${ordinal} ${overrides}`,
        (store) => store.logAssessment(id, corrected('a', 'person', overrides ? `${id}.${ordinal}` : undefined)),
      ],
    ),
  fc
    .tuple(one(TRACES), fc.nat(3))
    .map(
      ([id, ordinal]): Command => [`take back ${id} ${ordinal}`, (store) => store.deleteAssessment(`${id}.${ordinal}`)],
    ),
  fc.tuple(one(SCORERS), units, byLease, fc.nat(2)).map(
    ([name, found, owner, more]): Command => [
      `examine ${name} ${more} ${JSON.stringify(found)} ${owner.owner} ${owner.nowMs}`,
      async (store) => {
        const [there] = await store.registrations({ experiment: 'exp', name })
        const from = there?.progress.position ?? 0
        const scorers = [{ name, examined: more, sampled: more, unfit: 0 }]
        return store.examine({ experiment: 'exp', from, to: from + more, scorers, units: found, lease: owner })
      },
    ],
  ),
  fc
    .tuple(units, byLease)
    .map(
      ([found, owner]): Command => [
        `claim ${JSON.stringify(found)} ${owner.owner} ${owner.nowMs}`,
        (store) => store.claim(found, owner, { kind: 'backfill', id: 'b', data: { units: found.length } }),
      ],
    ),
  byLease.map(
    (owner): Command => [`claimDue ${owner.owner} ${owner.nowMs}`, (store) => store.claimDue([1, 2, 3, 4], owner, 50)],
  ),
  byLease.map((owner): Command => [`renew ${owner.owner} ${owner.untilMs}`, (store) => store.renew(owner)]),
  one(OWNERS).map((owner): Command => [`release ${owner}`, (store) => store.release(owner)]),
  fc
    .tuple(fc.array(outcome, { minLength: 1, maxLength: 3 }), byLease)
    .map(
      ([outcomes, owner]): Command => [
        `settle ${JSON.stringify(outcomes)} ${owner.owner} ${owner.nowMs}`,
        (store) => store.settle(outcomes, owner),
      ],
    ),
  fc
    .tuple(key, fc.option(entity, { nil: undefined }))
    .map(([scorer, id]): Command => [`revive ${scorer} ${id}`, (store) => store.revive([scorer], id)]),
)

/** Everything that can be seen of a store, clock readings taken out. */
async function seen(store: Store): Promise<unknown> {
  const arrivals = EXPERIMENTS.flatMap((experiment) =>
    (['arrival', 'change'] as const).map((order) => store.arrivals({ experiment, by: order, limit: 50 })),
  )
  const stored = await Array.fromAsync(store.search({}))
  return {
    registrations: await store.registrations({ version: 'all' }),
    units: await store.units({ scorers: [1, 2, 3, 4] }),
    counts: await store.countUnits([1, 2, 3, 4]),
    notes: await store.notes('backfill'),
    arrivals: await Promise.all(arrivals),
    traces: stored.sort((a, b) => (a.trace.id < b.trace.id ? -1 : 1)),
  }
}

/** Readings of the store's own clock differ from store to store, and so does what they order. */
function timeless(value: unknown): unknown {
  const text = JSON.stringify(value, (key, item) => {
    if ((key === 'dueAt' || key === 'at' || key === 'startedAt') && item > 1e12 && item < FAR) return 'now'
    if (!Array.isArray(item) || !item.every((part) => typeof part?.entity === 'string')) return item
    return item.toSorted((a, b) => a.scorer - b.scorer || (a.entity < b.entity ? -1 : 1))
  })
  return text === undefined ? undefined : JSON.parse(text)
}

async function answer(run: Command[1], store: Store): Promise<unknown> {
  try {
    return { gave: timeless(await run(store)) }
  } catch (error) {
    return { threw: (error as { code?: string }).code ?? error }
  }
}

test('stores answer alike, whatever is done to them in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
      const stores = [memory(), sqlite(join(mkdtempSync(join(tmpdir(), 'queue-')), 'store.sqlite'))] as const
      try {
        for (const store of stores) await store.createRun(runRecord())
        for (const [i, [name, run]] of commands.entries()) {
          const [ours, theirs] = [await answer(run, stores[0]), await answer(run, stores[1])]
          expect(theirs, `answer ${i + 1}: ${name}`).toEqual(ours)
        }
        expect(timeless(await seen(stores[1]))).toEqual(timeless(await seen(stores[0])))
      } finally {
        for (const store of stores) await store.close()
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 25) },
  )
})
