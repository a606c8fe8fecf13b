import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Feedback, toFeedback } from '../../src/feedback.ts'
import { requireScorers, type ScorerArgs } from '../../src/scorer.ts'
import type { ReadyScorer } from '../../src/scorers/index.ts'
import * as ready from '../../src/scorers/index.ts'
import type { Trace } from '../../src/trace.ts'
import { scorerVersion } from '../../src/version.ts'
import { calling, span, trace } from '../src/scorers/trace.ts'

/** One configuration of a ready scorer, and rows that it must judge. */
interface Sample {
  readonly factory: keyof typeof ready
  readonly make: (options?: object) => ReadyScorer<any>
  /** Settings that judge differently, each to have a version of its own. */
  readonly settings: readonly object[]
  /** Wrong options: the settings and the words that the error must have. */
  readonly wrong: readonly (readonly [object, RegExp])[]
  readonly name: string
  readonly good: Partial<ScorerArgs>
  readonly goodValue: unknown
  readonly bad: Partial<ScorerArgs>
  readonly badValue: unknown
  readonly reads: readonly ('outputs' | 'expectations' | 'trace')[]
}

const answer = (outputs: unknown, expected_response?: unknown): Partial<ScorerArgs> => ({
  inputs: { question: 'Q' },
  outputs,
  expectations: expected_response === undefined ? {} : { expected_response },
})
const calls = (made: Trace, expected_tool_calls: unknown): Partial<ScorerArgs> => ({
  outputs: 'done',
  expectations: { expected_tool_calls },
  trace: made,
})
const search = { name: 'search', arguments: { q: 'x' } }
const made = (): Trace => calling(['search', { q: 'x' }])
const pick = { output: (outputs: any) => outputs.response }
const split = { tokenize: (text: string) => text.split(' ') }
const text = ['outputs', 'expectations'] as const
const badOutput = [{ output: 'response' }, /"output" must be a function, found "response"/] as const

const samples: readonly Sample[] = [
  {
    factory: 'exactMatch',
    make: ready.exactMatch,
    settings: [{ ignoreCase: true }, { trim: true }, { expectation: 'answer' }, pick],
    wrong: [
      badOutput,
      [{ ignoreCase: 1 }, /"ignoreCase" must be true or false, found 1/],
      [{ expectation: '' }, /empty/],
    ],
    name: 'exact_match',
    good: answer('Paris', 'Paris'),
    goodValue: 'yes',
    bad: answer('paris', 'Paris'),
    badValue: 'no',
    reads: text,
  },
  {
    factory: 'includes',
    make: ready.includes,
    settings: [{ keywords: 'a' }, { keywords: ['a', 'b'] }, { mode: 'any' }, { ignoreCase: false }, { separator: ';' }],
    wrong: [badOutput, [{ keywords: [] }, /"keywords" must not be empty/], [{ mode: 'an' }, /did you mean "any"/]],
    name: 'includes',
    good: { outputs: 'two plus two is four', expectations: { expected_keywords: ['Four'] } },
    goodValue: 'yes',
    bad: { outputs: 'five', expectations: { expected_keywords: ['four'] } },
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'matches',
    make: (options) => ready.matches(/^\d+$/, options),
    settings: [pick],
    wrong: [badOutput],
    name: 'matches',
    good: answer('42'),
    goodValue: 'yes',
    bad: answer('forty'),
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'jsonValid',
    make: ready.jsonValid,
    settings: [pick],
    wrong: [badOutput],
    name: 'json_valid',
    good: answer('{"a":1}'),
    goodValue: 'yes',
    bad: answer('{a:1}'),
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'jsonSchema',
    make: (options) => ready.jsonSchema(z.object({ a: z.number() }), options),
    settings: [pick],
    wrong: [badOutput],
    name: 'json_schema',
    good: answer('{"a":1}'),
    goodValue: 'yes',
    bad: answer('{"a":"1"}'),
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'numeric',
    make: ready.numeric,
    settings: [
      { absolute: 1 },
      { relative: 0.1 },
      { extract: 'first' },
      { extract: /A:(.*)/ },
      { extract: Number },
      pick,
    ],
    wrong: [
      badOutput,
      [{ absolute: -1 }, /"absolute" must be a finite number from 0, found -1/],
      [{ relative: Number.NaN }, /"relative" must be a finite number from 0, found NaN/],
      [{ extract: 'any' }, /"extract" must be "last", "first", "whole", a RegExp or a function, found "any"/],
    ],
    name: 'numeric',
    good: answer('A: 42', 42),
    goodValue: 'yes',
    bad: answer('A: 43', '42'),
    badValue: 'no',
    reads: text,
  },
  {
    factory: 'similarity',
    make: ready.similarity,
    settings: [{ ignoreCase: true }, { expectation: 'answer' }, pick],
    wrong: [badOutput],
    name: 'similarity',
    good: answer('abcd', 'abcd'),
    goodValue: 1,
    bad: answer('abcd', 'abxx'),
    badValue: 0.5,
    reads: text,
  },
  {
    factory: 'rougeL',
    make: ready.rougeL,
    settings: [{ beta: 2 }, { expectation: 'answer' }, split, pick],
    wrong: [badOutput, [{ beta: '1' }, /"beta" must be a number, found "1"/]],
    name: 'rouge_l',
    good: answer('a b', 'a b'),
    goodValue: 1,
    bad: answer('a b', 'a c'),
    badValue: 0.5,
    reads: text,
  },
  {
    factory: 'bleu',
    make: ready.bleu,
    settings: [{ order: 2 }, { smoothing: 'none' }, { expectation: 'answer' }, split, pick],
    wrong: [
      badOutput,
      [{ order: 0 }, /"order" must be an integer from 1, found 0/],
      [{ smoothing: 'one' }, /"add-one"/],
    ],
    name: 'bleu',
    good: answer('a b', 'a b'),
    goodValue: 1,
    bad: answer('c', 'a'),
    badValue: 0,
    reads: text,
  },
  {
    factory: 'tokenF1',
    make: ready.tokenF1,
    settings: [{ expectation: 'answer' }, split, pick],
    wrong: [badOutput, [{ tokenize: true }, /"tokenize" must be a function, found true/]],
    name: 'token_f1',
    good: answer('b a', 'a b'),
    goodValue: 1,
    bad: answer('a b', 'a c'),
    badValue: 0.5,
    reads: text,
  },
  {
    factory: 'length',
    make: ready.length,
    settings: [{ unit: 'words' }, { min: 1 }, { max: 1 }, pick],
    wrong: [
      badOutput,
      [{ min: 2, max: 1 }, /"min" must be at most "max", found 2 and 1/],
      [{ max: 1.5 }, /"max" must be an integer from 0, found 1.5/],
      [{ unit: 'word' }, /did you mean "words"/],
    ],
    name: 'length',
    good: answer('abc'),
    goodValue: 3,
    bad: answer(''),
    badValue: 0,
    reads: ['outputs'],
  },
  {
    factory: 'length',
    make: (options) => ready.length({ max: 3, ...options }),
    settings: [{ min: 1 }, { max: 4 }],
    wrong: [],
    name: 'length_within',
    good: answer('abc'),
    goodValue: 'yes',
    bad: answer('abcd'),
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'latency',
    make: ready.latency,
    settings: [{ maxMs: 1 }, { span: { type: 'LLM' } }, { span: { name: /LLM/ } }],
    wrong: [
      [{ maxMs: -1 }, /"maxMs" must be a finite number from 0, found -1/],
      [{ span: { kind: 'LLM' } }, /"span" must be an object with type, name or id/],
      [{ span: {} }, /"span" must be an object with type, name or id, found an empty object/],
    ],
    name: 'latency_ms',
    good: { trace: trace({ durationMs: 12.5 }) },
    goodValue: 12.5,
    bad: { trace: trace({ durationMs: 99 }) },
    badValue: 99,
    reads: ['trace'],
  },
  {
    factory: 'latency',
    make: (options) => ready.latency({ maxMs: 50, span: { type: 'LLM' }, ...options }),
    settings: [{ maxMs: 51 }],
    wrong: [],
    name: 'latency_within',
    good: { trace: trace({ spans: [span('ask', { type: 'LLM', endTimeNs: 50_000_000n })] }) },
    goodValue: 'yes',
    bad: { trace: trace({ spans: [span('ask', { type: 'LLM', endTimeNs: 50_000_001n })] }) },
    badValue: 'no',
    reads: ['trace'],
  },
  {
    factory: 'pii',
    make: ready.pii,
    settings: [{ kinds: ['email'] }, { kinds: ['phone', 'email'] }, pick],
    wrong: [
      badOutput,
      [{ kinds: 'email' }, /"kinds" must be a list, found "email"/],
      [{ kinds: ['mail'] }, /"kinds"\[0\] must be one of .*did you mean "email"/],
    ],
    name: 'pii_free',
    good: answer('nobody'),
    goodValue: 'yes',
    bad: answer('jo@example.com'),
    badValue: 'no',
    reads: ['outputs'],
  },
  {
    factory: 'toolCalls',
    make: ready.toolCalls,
    settings: [{ mode: 'superset' }, { arguments: 'subset' }, { arguments: 'ignore' }, { expectation: 'calls' }],
    wrong: [
      [{ mode: 'order' }, /"mode" must be one of/],
      [{ arguments: 'exactly' }, /did you mean "exact"/],
    ],
    name: 'tool_call_match',
    good: calls(made(), [search]),
    goodValue: 'yes',
    bad: calls(made(), []),
    badValue: 'no',
    reads: ['expectations', 'trace'],
  },
  ...(['in-order', 'precision', 'recall', 'f1'] as const).map(
    (mode): Sample => ({
      factory: 'toolCalls',
      make: (options) => ready.toolCalls({ mode, ...options }),
      settings: [{ arguments: 'ignore' }],
      wrong: [],
      name: `tool_call_${mode.replace('-', '_')}`,
      good: calls(made(), [search]),
      goodValue: 1,
      bad: calls(made(), [{ name: 'fetch' }]),
      badValue: 0,
      reads: ['expectations', 'trace'],
    }),
  ),
]

const cases = samples.map((sample) => [`${sample.factory}() as ${sample.name}`, sample] as const)

async function judge(scorer: ReadyScorer<any>, args: Partial<ScorerArgs>): Promise<Feedback> {
  const list = toFeedback(await scorer.score(args), { scorer: scorer.name })
  expect(list).toHaveLength(1)
  return list[0] as Feedback
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const key of Reflect.ownKeys(value)) frozen((value as any)[key])
  }
  return value
}

test('every ready scorer has a sample here', () => {
  expect(new Set(samples.map(({ factory }) => factory))).toEqual(new Set(Object.keys(ready)))
})

test('ready scorers fit into one evaluation: no two default names are equal', () => {
  expect(() => requireScorers(samples.map(({ make }) => make()))).not.toThrow()
})

test.each(cases)('%s has its default name, and takes name, description and aggregations', (_, { make, name }) => {
  expect(make().name).toBe(name)
  const custom = make({ name: 'mine', description: 'What I say', aggregations: ['p90'] })
  expect({ ...custom }).toMatchObject({ name: 'mine', description: 'What I say', aggregations: ['p90'] })
})

test.each(cases)('%s judges a good and a bad row, by score() and by a plain call', async (_, sample) => {
  const scorer = sample.make()
  const good = await judge(scorer, sample.good)
  expect(good).toMatchObject({ name: sample.name, value: sample.goodValue })
  expect(good.error).toBeUndefined()
  expect((await judge(scorer, sample.bad)).value).toBe(sample.badValue)
  expect((await scorer(sample.bad)).value).toBe(sample.badValue)
})

test.each(cases)('%s gives an error, never a value, where what it reads is missing', async (_, sample) => {
  const holes: Record<(typeof sample.reads)[number], [Partial<ScorerArgs>[], RegExp]> = {
    outputs: [[{ outputs: undefined }, { outputs: null }], /^OUTPUTS_MISSING$/],
    expectations: [
      [{ expectations: {} }, { expectations: { other: 1 } }, { expectations: undefined as any }],
      /^EXPECTATION_MISSING$/,
    ],
    trace: [[{ trace: undefined as any }], /^TRACE_MISSING$/],
  }
  for (const part of sample.reads) {
    const [variants, code] = holes[part]
    for (const hole of variants) {
      const { value, error } = await judge(sample.make(), { ...sample.good, ...hole })
      expect(value).toBeUndefined()
      expect(error?.code).toMatch(code)
      expect(error?.message).toMatch(/^(the row has no|there is no trace)/)
    }
  }
})

test.each(cases)('%s leaves its args as they were', async (_, sample) => {
  for (const args of [sample.good, sample.bad]) {
    const { trace: recorded, ...rest } = args
    const before = structuredClone({ rest, recorded: { ...recorded } })
    await judge(sample.make(), frozen({ ...args }))
    expect({ rest, recorded: { ...recorded } }).toEqual(before)
  }
})

test.each(cases)('%s gives Feedback that survives JSON', async (_, sample) => {
  for (const args of [sample.good, sample.bad, { ...sample.good, outputs: undefined, expectations: {} }]) {
    const feedback = await judge(sample.make(), args)
    expect(JSON.parse(JSON.stringify(feedback))).toEqual(feedback)
  }
})

test.each(cases)('%s has a version that is stable and depends on its settings only', (_, { make, settings, name }) => {
  const version = scorerVersion(make())
  expect(version).toMatch(/^[0-9a-f]{16}$/)
  expect(scorerVersion(make({ name: 'other', description: 'd', aggregations: ['min'] }))).toBe(version)
  const versions = settings.map((options) => scorerVersion(make(options)))
  expect(settings.map((options) => scorerVersion(make(options)))).toEqual(versions)
  expect(new Set([version, ...versions]).size, name).toBe(settings.length + 1)
  expect(scorerVersion(make({ version: 'v7' }))).toBe('v7')
})

test('no two ready scorers share a version', () => {
  const versions = samples.map(({ make }) => scorerVersion(make()))
  expect(new Set(versions).size).toBe(samples.length)
})

test.each(cases)('%s refuses wrong options at once, naming the option', (_, { factory, make, wrong }) => {
  expect(() => make({ nme: 'x' })).toThrow(`Cannot make ${factory}(): unknown option "nme" (did you mean "name"?)`)
  expect(() => make({ name: '' })).toThrow(new RangeError(`Cannot make ${factory}(): "name" must not be empty`))
  expect(() => make({ aggregations: ['men'] })).toThrow(/did you mean "mean"/)
  expect(() => make({ constructor: 1 })).toThrow(/unknown option "constructor"/)
  for (const [options, message] of wrong) {
    expect(() => make(options), String(message)).toThrow(message)
  }
})

test('ready scorers refuse options that are no object', () => {
  expect(() => ready.exactMatch('answer' as any)).toThrow(
    new TypeError('Cannot make exactMatch(): options must be an object, found "answer"'),
  )
})

test('ready scorers take an option that is undefined for one that was left out', () => {
  const options = { name: undefined, ignoreCase: undefined } as any
  expect(ready.exactMatch(options).name).toBe('exact_match')
  expect(ready.exactMatch(options).version).toBe(ready.exactMatch().version)
})
