import { expect, test } from 'vitest'
import { DEFAULTS, type EvaluateOptions, repeatsOf, requireOptions } from '../../src/options.ts'
import evaluate from '../../src/plugin.ts'
import { requireSettings } from '../../src/settings.ts'
import { memory } from '../../src/stores/memory.ts'

const BAD: readonly [keyof EvaluateOptions, readonly unknown[], string][] = [
  ['name', ['', 7, null], '"name" must be a string that is not empty'],
  ['experiment', ['', 7, {}], '"experiment" must be a string that is not empty'],
  ['store', ['', 7, null, {}], '"store" must be a file name or a store'],
  ['tags', [null, 'a', ['a'], { a: 1 }, { a: null }], '"tags" must be an object of strings'],
  [
    'maxConcurrency',
    [0, -1, 1.5, '4', Number.NaN, Number.POSITIVE_INFINITY],
    '"maxConcurrency" must be an integer from 1',
  ],
  ['maxConcurrency', [10_001, Number.MAX_SAFE_INTEGER], '"maxConcurrency" must be at most 10000'],
  ['predictTimeoutMs', [-1, 0.5, '1s', Number.POSITIVE_INFINITY, null], '"predictTimeoutMs" must be an integer from 0'],
  ['scorerTimeoutMs', [-1, 0.5, {}, Number.NaN], '"scorerTimeoutMs" must be an integer from 0'],
  ['retries', [-1, true, Number.POSITIVE_INFINITY], '"retries" must be an integer from 0'],
  ['limit', [0, -3, '5', 1e-3], '"limit" must be an integer from 1'],
  ['sample', [0, 0.1, null], '"sample" must be an integer from 1'],
  ['seed', [-1, 0.5, 'x'], '"seed" must be an integer from 0'],
  ['filter', ["status = 'OK'", {}, 1], '"filter" must be a function'],
  ['allowFailed', [-1, 0.5, 'all', null], '"allowFailed" must be an integer from 0'],
  ['minScored', [-0.1, 1.1, 95, Number.NaN, '1', true], '"minScored" must be a share from 0 to 1'],
  ['resume', ['yes', 1, null], `"resume" must be true, false or 'force'`],
  ['gates', ['correct', 0.9, null], '"gates" must be an object of metrics, a list of gates, or false'],
  ['baseline', ['', true, {}], '"baseline" must be the name, id or file of a run, a run, or false'],
  ['targetBranch', ['', 1], '"targetBranch" must be a string that is not empty'],
  ['inconclusive', ['ignore', true], "\"inconclusive\" must be 'warn' or 'fail'"],
  ['rescore', ['yes', 1], '"rescore" must be true or false'],
  ['cluster', ['', 1], '"cluster" must be a tag or a function'],
  ['repeats', [0, 1.5, '3'], '"repeats" must be an integer from 1'],
  ['repeats', [1001], '"repeats" must be at most 1000'],
  [
    'fold',
    ['median', 'pass@0', 'pass@', null, { a: 'b' }],
    "\"fold\" must be 'mean', 'majority', 'all', 'any', 'pass@2' or 'pass^2' (or another number), or one of these by column",
  ],
  ['judgeModel', [1, true, null], '"judgeModel" must be an address or a model'],
  ['maxModelConcurrency', [0, 1.5, '5'], '"maxModelConcurrency" must be an integer from 1'],
  ['cache', ['yes', 1, null], '"cache" must be true or false'],
  [
    'budget',
    [-1, Number.NaN, '5', null, {}, { eur: 5 }, { usd: -1 }, { usd: '5' }],
    '"budget" must be a number of US dollars from 0, or { usd, tokens, calls } of such numbers',
  ],
  [
    'prices',
    [5, null, { m: 5 }, { m: { input: 1 } }, { m: { input: 1, output: 2, cachedInput: -1 } }],
    `"prices" must be like { 'openai:/gpt-4.1-mini': { input: 0.4, output: 1.6 } }, USD for a million tokens`,
  ],
  ['signal', [new AbortController(), {}, true], '"signal" must be an AbortSignal'],
]

test.for(BAD)('requireOptions() refuses bad values of %s', ([key, values, message]) => {
  for (const value of values) {
    const refused = expect(() => requireOptions({ [key]: value }), JSON.stringify(value))
    refused.toThrow(RangeError)
    refused.toThrow(`Cannot evaluate: ${message}, received `)
  }
})

test('requireOptions() knows a case for every option', () => {
  const good: Required<EvaluateOptions> = {
    name: 'n',
    experiment: 'e',
    store: memory(),
    tags: { a: 'b' },
    maxConcurrency: 10_000,
    predictTimeoutMs: 0,
    scorerTimeoutMs: 1e12,
    retries: 0,
    limit: 1,
    sample: 1,
    seed: 0,
    filter: () => true,
    allowFailed: true,
    minScored: 0,
    resume: 'force',
    gates: {},
    baseline: 'main.jsonl',
    targetBranch: 'main',
    inconclusive: 'fail',
    rescore: true,
    cluster: 'document',
    repeats: 3,
    fold: { good: 'pass@2' },
    judgeModel: 'openai:/gpt-4.1-mini',
    maxModelConcurrency: 1,
    cache: false,
    budget: { usd: 0, tokens: 5, calls: undefined },
    prices: { m: { input: 1, output: 2, cachedInput: 0 } },
    signal: new AbortController().signal,
  }
  expect(() => requireOptions(good)).not.toThrow()
  expect(new Set(BAD.map(([key]) => key))).toEqual(new Set(Object.keys(good)))
  expect(() => requireOptions(Object.fromEntries(Object.keys(good).map((key) => [key, undefined])))).not.toThrow()
  expect(() => requireOptions(DEFAULTS)).not.toThrow()
})

test('requireOptions() names what was received, and what was meant', () => {
  const refused = (options: unknown) => {
    try {
      requireOptions(options as EvaluateOptions)
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`
    }
    return 'nothing'
  }
  expect(refused({ maxConcurency: 5 })).toBe(
    'TypeError: Cannot evaluate: unknown option "maxConcurency" (did you mean "maxConcurrency"?)',
  )
  expect(refused({ timeout: 5 })).toBe('TypeError: Cannot evaluate: unknown option "timeout"')
  expect(refused({ ['__proto__']: 5 })).toContain('unknown option "__proto__"')
  expect(refused([])).toBe('TypeError: Cannot evaluate: options must be an object, found an array of 0')
  expect(refused('fast')).toBe('TypeError: Cannot evaluate: options must be an object, found "fast"')
  expect(refused({ maxConcurrency: 0 })).toBe(
    'RangeError: Cannot evaluate: "maxConcurrency" must be an integer from 1, received 0',
  )
})

test('repeatsOf() is nothing for one time, and refuses a fold of more attempts than there are', () => {
  expect(repeatsOf({})).toBeUndefined()
  expect(repeatsOf({ repeats: 1, fold: 'all' })).toBeUndefined()
  expect(repeatsOf({ repeats: 3 })).toEqual({ times: 3 })
  expect(repeatsOf({ repeats: 3, fold: { a: 'pass^3' } })).toEqual({ times: 3, fold: { a: 'pass^3' } })
  for (const fold of ['pass@4', { a: 'mean', b: 'pass^4' }] as const) {
    expect(() => repeatsOf({ repeats: 3, fold })).toThrow(
      /^Cannot evaluate: fold "pass[@^]4" needs 4 repeats, and "repeats" is 3$/,
    )
  }
})

test.for<[object, string]>([
  [{ bugdet: 3 }, 'TypeError: Cannot set up vitest-evaluate: unknown option "bugdet" (did you mean "budget"?)'],
  [{ limit: 3 }, 'TypeError: Cannot set up vitest-evaluate: unknown option "limit"'],
  [{ budget: 'abc' }, 'RangeError: Cannot set up vitest-evaluate: "budget" must be a number of US dollars from 0'],
  [{ maxModelConcurrency: 0 }, 'RangeError: Cannot set up vitest-evaluate: "maxModelConcurrency" must be an integer'],
  [{ judgeModel: () => 'yes' }, 'RangeError: Cannot set up vitest-evaluate: "judgeModel" must be an address'],
  [{ store: {} }, 'RangeError: Cannot set up vitest-evaluate: "store" must be the name of a file'],
  [{ replay: { file: 'a.jsonl', mode: 'bad' } }, 'RangeError: Cannot set up vitest-evaluate: "replay" must be a file'],
])('requireSettings() refuses %o, and so does the plugin', ([settings, sentence]) => {
  for (const setUp of [requireSettings, evaluate]) {
    let thrown: unknown
    try {
      setUp(settings)
    } catch (error) {
      thrown = error
    }
    expect(String(thrown).slice(0, sentence.length)).toBe(sentence)
  }
})

test('requireSettings() takes all that the plugin may be told', () => {
  const all = { ...DEFAULTS, store: 'a.sqlite', experiment: 'a', judgeModel: 'openai:/m', cache: false, budget: 1 }
  expect(() => requireSettings({ ...all, prices: {}, replay: 'a.jsonl' })).not.toThrow()
  expect(() => requireSettings({ replay: { file: 'a.jsonl', mode: 'record' }, budget: undefined })).not.toThrow()
})
