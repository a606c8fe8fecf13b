import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Score } from '../../src/series.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { folder } from '../data/evaluation.ts'
import { assessmentOf, produce, register, START } from '../data/production.ts'

const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

const KINDS: Readonly<Record<string, () => Store>> = { memory, sqlite: () => sqlite(join(folder(), 'store.sqlite')) }

async function all(store: Store, query: Partial<Parameters<Store['scores']>[0]> = {}): Promise<Score[]> {
  const items: Score[] = []
  let page = await store.scores({ experiment: 'shop', scorers: ['safe'], limit: 3, ...query })
  for (;;) {
    items.push(...page.items)
    if (!page.next) return items
    page = await store.scores({ experiment: 'shop', scorers: ['safe'], limit: 3, ...query, after: page.next })
  }
}

describe.each(Object.entries(KINDS))('a store of kind %s', (_, make) => {
  function open(): Store {
    const store = make()
    opened.push(store)
    return store
  }

  test('scores() gives what was said, in the order of the requests, page after page', async () => {
    const store = open()
    await produce(store, {
      experiment: 'shop',
      n: 5,
      fromMs: START + 1_000,
      prefix: 'late',
      said: (i) => [{ scorer: 'safe', value: i }],
    })
    await produce(store, {
      experiment: 'shop',
      n: 5,
      everyMs: 0,
      prefix: 'early',
      said: (i) => [{ scorer: 'safe', value: 10 + i }],
    })
    expect((await all(store)).map(({ value }) => value)).toEqual([10, 11, 12, 13, 14, 0, 1, 2, 3, 4])
    expect((await all(store, { fromMs: START + 1, toMs: START + 61_001 })).map(({ value }) => value)).toEqual([0, 1])
    expect((await all(store, { toMs: START + 1 })).map(({ value }) => value)).toEqual([10, 11, 12, 13, 14])
  })

  test('scores() goes past traces of which nobody has spoken', async () => {
    const store = open()
    await produce(store, {
      experiment: 'shop',
      n: 20,
      said: (i) => (i === 19 ? [{ scorer: 'safe', value: true }] : []),
    })
    expect(await store.scores({ experiment: 'shop', scorers: ['safe'], limit: 3 })).toMatchObject({
      items: [],
      next: {},
    })
    expect(await all(store)).toMatchObject([{ traceId: 'tr-p-0000019', value: true, isCorrected: false }])
  })

  test('scores() says of each value who gave it, with errors and what has no value', async () => {
    const store = open()
    const source = { type: 'LLM_JUDGE', id: 'openai:/judge' } as const
    await produce(store, {
      experiment: 'shop',
      n: 1,
      said: () => [
        { scorer: 'safe', value: 'yes', version: 4, source },
        { scorer: 'safe', name: 'why', value: { a: 1 } },
        { scorer: 'safe', name: 'odd', error: { code: 'SCORER_THREW', message: 'boom', stack: 'long' } },
        { scorer: 'safe', name: 'silent' },
        { scorer: 'other', value: true },
      ],
    })
    const base = { traceId: 'tr-p-0000000', requestTimeMs: START, scorer: 'safe', isCorrected: false }
    const code = { type: 'CODE', id: 'safe' }
    expect(await all(store)).toEqual([
      { ...base, name: 'safe', value: 'yes', version: 4, source },
      { ...base, name: 'why', value: { a: 1 }, version: 1, source: code },
      { ...base, name: 'odd', error: { code: 'SCORER_THREW', message: 'boom' }, version: 1, source: code },
      { ...base, name: 'silent', version: 1, source: code },
    ])
  })

  test('scores() gives what stands: the newest word of the scorer, or a person’s', async () => {
    const store = open()
    const { key } = await register(store, 'shop', 'safe')
    await produce(store, { experiment: 'shop', n: 2, said: () => [{ scorer: 'safe', value: false, version: 1 }] })
    const lease = { owner: 'me', nowMs: START, untilMs: START + 1_000 }
    const unit = { scorer: key, entity: 'tr-p-0000000', mark: 1 }
    await store.claim([unit], lease)
    const again = assessmentOf({ scorer: 'safe', value: true, version: 2 })
    await store.settle([{ ...unit, state: 'done', traceId: unit.entity, assessments: [again] }], lease)
    const [wrong] = (await Array.fromAsync(store.search({ traceId: 'tr-p-0000001' })))[0]?.assessments ?? []
    await store.logAssessment('tr-p-0000001', {
      kind: 'feedback',
      name: 'safe',
      value: 'unsure',
      source: { type: 'HUMAN', id: 'ann' },
      overrides: wrong?.id as string,
      createdAt: START,
    })
    expect(await all(store)).toMatchObject([
      { value: true, version: 2, isCorrected: false },
      { value: 'unsure', version: 1, source: { type: 'CODE', id: 'safe' }, isCorrected: true },
    ])
  })

  test('scores() gives nothing of names that nobody has used', async () => {
    const store = open()
    expect(await store.scores({ experiment: 'nowhere', scorers: ['nobody'], limit: 10 })).toEqual({ items: [] })
  })
})
