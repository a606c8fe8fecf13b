import { expect, test } from 'vitest'
import { z } from 'zod'
import { requireScorers, Scorer, type ScorerArgs, scorer } from '../../src/scorer.ts'
import type { StandardSchema } from '../../src/source.ts'
import { scorerVersion } from '../../src/version.ts'

const args = { inputs: {}, outputs: 'a b c', expectations: {}, tags: {} } as unknown as ScorerArgs

class MinWords extends Scorer.with(z.object({ words: z.number().default(50), strict: z.boolean().optional() })) {
  readonly name = 'min_words'
  score({ outputs }: ScorerArgs) {
    return String(outputs).split(/\s+/).length >= this.words
  }
}

test('scorer() takes the function’s name, a given one, or options', () => {
  expect(
    scorer(function concise() {
      return true
    }).name,
  ).toBe('concise')
  expect(scorer('short', () => true).name).toBe('short')
  const made = scorer({ name: 'n', description: 'd', aggregations: ['p90'], timeoutMs: 5, version: 'v1' }, () => 1)
  expect({ ...made }).toMatchObject({ name: 'n', description: 'd', aggregations: ['p90'], timeoutMs: 5, version: 'v1' })
  expect(
    scorer({ aggregations: ['max'] }, function kept() {
      return 1
    }).name,
  ).toBe('kept')
})

test('scorer() gives what can be called with parts of a row, and scores', async () => {
  const concise = scorer('concise', ({ outputs }) => outputs.length <= 5)
  expect(concise({ outputs: 'short' })).toBe(true)
  expect(concise.score(args)).toBe(true)
  expect(await scorer('later', async ({ outputs }) => outputs)({ outputs: 5 })).toBe(5)
})

test('scorer() gives properties that cannot be changed by mistake', () => {
  const made = scorer('fixed', () => 1)
  expect(() => Object.assign(made, { name: 'other' })).toThrow(TypeError)
  expect(Object.keys(made)).toEqual(['name', 'score', 'version'])
})

const list = 'mean, min, max, median, variance, p90'

test.each<[string, unknown[], string]>([
  ['nothing', [], 'Cannot make a scorer: expected a function, found undefined'],
  ['a name only', ['x'], 'Cannot make a scorer: expected a function, found undefined'],
  ['null', [null], 'Cannot make a scorer: expected a function, found undefined'],
  ['what is no function', ['x', {}], 'Cannot make a scorer: expected a function, found an empty object'],
  [
    'null for options',
    [null, () => 1],
    'Cannot make a scorer: expected a name or options before the function, found null',
  ],
  [
    'a number for options',
    [5, () => 1],
    'Cannot make a scorer: expected a name or options before the function, found 5',
  ],
  [
    'options after the function',
    [() => 1, { name: 'x' }],
    'Cannot make a scorer: the function comes last, scorer(name, fn) or scorer(options, fn)',
  ],
  ['an unknown option', [{ nam: 'x' }, () => 1], 'Cannot make a scorer: unknown option "nam" (did you mean "name"?)'],
  ['no name', [() => 1], "Cannot make a scorer: it has no name\nHint: name the function, or write scorer('name', fn)"],
  [
    'an empty name',
    ['', () => 1],
    "Cannot make a scorer: it has no name\nHint: name the function, or write scorer('name', fn)",
  ],
  ['a name that is no text', [{ name: 5 }, () => 1], 'Cannot make a scorer: its name must be a string, found 5'],
  ['a class', [MinWords], 'Cannot make a scorer from the class MinWords\nHint: an instance is one, new MinWords()'],
  [
    'a description that is no text',
    [{ name: 'x', description: 5 }, () => 1],
    'Cannot use scorer "x": "description" must be a string, found 5',
  ],
  [
    'a version that is no text',
    [{ name: 'x', version: 2 }, () => 1],
    'Cannot use scorer "x": "version" must be a string, found 2',
  ],
  [
    'aggregations that are no list',
    [{ name: 'x', aggregations: 'mean' }, () => 1],
    'Cannot use scorer "x": "aggregations" must be a list, found "mean"',
  ],
  [
    'an unknown aggregation',
    [{ name: 'x', aggregations: ['meen'] }, () => 1],
    `Cannot use scorer "x": "aggregations" has "meen" (did you mean "mean"?); there are ${list} and named functions`,
  ],
  [
    'an aggregation of no kind',
    [{ name: 'x', aggregations: [5] }, () => 1],
    `Cannot use scorer "x": "aggregations" has 5; there are ${list} and named functions`,
  ],
  [
    'a nameless aggregation',
    [{ name: 'x', aggregations: [() => 1] }, () => 1],
    'Cannot use scorer "x": "aggregations" has a function without a name, and its metric needs one',
  ],
  [
    'an aggregation twice',
    [{ name: 'x', aggregations: ['max', function max() {}] }, () => 1],
    'Cannot use scorer "x": "aggregations" has "max" twice',
  ],
])('scorer() refuses %s', (_, given, message) => {
  expect(() => (scorer as (...all: unknown[]) => unknown)(...given)).toThrow(new TypeError(message))
})

test.each([[-1], [0.5], [Number.NaN], ['5']])('scorer() refuses timeoutMs %j', (timeoutMs) => {
  const text = typeof timeoutMs === 'string' ? '"5"' : timeoutMs
  expect(() => scorer({ name: 'x', timeoutMs: timeoutMs as number }, () => 1)).toThrow(
    new RangeError(`Cannot use scorer "x": "timeoutMs" must be an integer from 0, received ${text}`),
  )
})

test('Scorer.with() fills defaults in, keeps what is given and scores with it', () => {
  expect(new MinWords().words).toBe(50)
  const three = new MinWords({ words: 3 })
  expect(three.words).toBe(3)
  expect(three.name).toBe('min_words')
  expect(three.score(args)).toBe(true)
  expect(new MinWords({ words: 4 }).score(args)).toBe(false)
  expect(three).toBeInstanceOf(Scorer)
  expect(() => requireScorers([three])).not.toThrow()
})

test('Scorer.with() puts nothing on the instance but the fields', () => {
  expect(Object.keys(new MinWords({ words: 3 }))).toEqual(['words', 'name'])
})

test('Scorer.with() lets a subclass describe itself, from its configuration too', () => {
  class Described extends Scorer.with(z.object({ limit: z.number() })) {
    readonly name = 'described'
    override readonly description = `at most ${this.limit}`
    override readonly aggregations = ['mean', 'p90'] as const
    score() {
      return 1
    }
  }
  const made = new Described({ limit: 7 })
  expect(made.description).toBe('at most 7')
  expect(made.aggregations).toEqual(['mean', 'p90'])
})

test('Scorer.with() takes the name, too, from the configuration', () => {
  class Named extends Scorer.with(z.object({ name: z.string() })) {
    score() {
      return this.name
    }
  }
  expect(new Named({ name: 'mine' }).score()).toBe('mine')
  expect(() => requireScorers([new Named({ name: 'a' }), new Named({ name: 'b' })])).not.toThrow()
})

test.each<[string, () => unknown, string]>([
  [
    'a wrong field',
    () => new MinWords({ words: 'x' as never }),
    'Cannot make MinWords: "words": Invalid input: expected number, received string',
  ],
  [
    'two wrong fields',
    () => new MinWords({ words: 'x', strict: 1 } as never),
    'Cannot make MinWords: "words": Invalid input: expected number, received string (and 1 more)',
  ],
  [
    'what is no object',
    () => new MinWords(null as never),
    'Cannot make MinWords: Invalid input: expected object, received null',
  ],
])('Scorer.with() refuses %s', (_, make, message) => {
  expect(make).toThrow(new TypeError(message))
})

function schema(validate: StandardSchema<object>['~standard']['validate']): StandardSchema<object> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

test('Scorer.with() refuses what is no schema, an asynchronous one, and a field called score', () => {
  expect(() => Scorer.with({ words: 5 } as never)).toThrow(
    new TypeError('Cannot make a scorer class: expected a schema (zod, valibot, arktype), found an object with words'),
  )
  expect(() => Scorer.with(undefined as never)).toThrow('found undefined')
  class Later extends Scorer.with(schema(async (value) => ({ value: value as object }))) {
    readonly name = 'later'
    score() {
      return 1
    }
  }
  expect(() => new Later()).toThrow(new TypeError('Cannot make Later: its schema is asynchronous'))
  class Shadowed extends Scorer.with(schema(() => ({ value: { score: 5 } }))) {
    readonly name = 'shadowed'
    override score() {
      return 1
    }
  }
  expect(() => new Shadowed()).toThrow(
    'Cannot make Shadowed: its schema has a field "score", which is the method\'s name',
  )
})

test('Scorer.with() keeps a field called __proto__ a field', () => {
  const hostile = schema(() => ({ value: JSON.parse('{"__proto__":{"score":1},"limit":5}') }))
  class Odd extends Scorer.with(hostile) {
    readonly name = 'odd'
    score() {
      return 1
    }
  }
  const odd = new Odd()
  expect(Object.getPrototypeOf(odd)).toBe(Odd.prototype)
  expect(Object.keys(odd)).toEqual(['__proto__', 'limit', 'name'])
})

function plain(): number {
  return 1
}
const good = scorer('good', () => 1)
class Nameless extends Scorer {
  readonly name = ''
  score() {
    return 1
  }
}

test.each<[string, unknown, string]>([
  [
    'no list',
    good,
    'Cannot evaluate: scorers must be an array, found function good\nHint: put it into brackets, [scorer]',
  ],
  ['an object', { a: good }, 'Cannot evaluate: scorers must be an array, found an object with a'],
  ['undefined', undefined, 'Cannot evaluate: scorers must be an array, found undefined'],
  [
    'a class',
    [good, MinWords],
    'Cannot evaluate: scorer 2 of 2 is the class MinWords\nHint: pass an instance, new MinWords()',
  ],
  [
    'a bare function',
    [plain],
    'Cannot evaluate: scorer 1 of 1 is the plain function plain\nHint: wrap it, scorer(plain)',
  ],
  [
    'a nameless function',
    [() => 1],
    "Cannot evaluate: scorer 1 of 1 is a plain function\nHint: wrap it, scorer('name', fn)",
  ],
  ['a nested list', [[good]], 'Cannot evaluate: scorer 1 of 1 is a list\nHint: spread it, [...scorers]'],
  [
    'an instance without a name',
    [new Nameless()],
    'Cannot evaluate: scorer 1 of 1, a Nameless, has no "name" or no "score"',
  ],
  [
    'an object',
    [{ name: 'x' }],
    "Cannot evaluate: scorer 1 of 1 is an object with name, which is no scorer\nHint: make one with scorer('name', fn)",
  ],
  [
    'null',
    [null],
    "Cannot evaluate: scorer 1 of 1 is null, which is no scorer\nHint: make one with scorer('name', fn)",
  ],
  [
    'a hole',
    new Array(1),
    "Cannot evaluate: scorer 1 of 1 is undefined, which is no scorer\nHint: make one with scorer('name', fn)",
  ],
  [
    'text',
    ['exact'],
    'Cannot evaluate: scorer 1 of 1 is "exact", which is no scorer\nHint: make one with scorer(\'name\', fn)',
  ],
  [
    'one name twice',
    [good, new MinWords(), scorer('good', plain)],
    'Cannot evaluate: scorer 3 of 3 is called "good", as is scorer 1\nHint: every column needs a name of its own',
  ],
  [
    'an aggregation of no kind',
    [{ name: 'x', score: plain, aggregations: ['sum'] }],
    `Cannot use scorer "x": "aggregations" has "sum"; there are ${list} and named functions`,
  ],
])('requireScorers() refuses %s', (_, scorers, message) => {
  expect(() => requireScorers(scorers)).toThrow(new TypeError(message))
})

test('requireScorers() refuses a timeout that is none', () => {
  expect(() => requireScorers([{ name: 'x', score: plain, timeoutMs: Number.NaN }])).toThrow(RangeError)
})

test('requireScorers() takes functions, instances, objects with name and score, and an empty list', () => {
  expect(() => requireScorers([])).not.toThrow()
  expect(() => requireScorers([good, new MinWords(), { name: 'duck', score: plain }])).not.toThrow()
})

test('scorerVersion() is the explicit one where there is one', () => {
  expect(scorerVersion(scorer({ name: 'x', version: '2' }, plain))).toBe('2')
})

test('scorerVersion() of a function changes with its text only', () => {
  expect(scorerVersion(scorer('a', plain))).toBe(scorerVersion(scorer('b', plain)))
  expect(scorerVersion(scorer({ name: 'a', aggregations: ['max'] }, plain))).toBe(scorerVersion(scorer('a', plain)))
  expect(scorerVersion(scorer('a', () => 1))).not.toBe(scorerVersion(scorer('a', () => 2)))
  expect(scorerVersion(scorer('a', plain))).toMatch(/^[0-9a-f]{16}$/)
})

test('scorerVersion() of a renamed scorer is that of the scorer', () => {
  const [one, two] = [scorer('one', () => 1), scorer('two', () => 2)]
  expect(scorerVersion(scorer('other', one))).toBe(scorerVersion(one))
  expect(scorerVersion(scorer('other', one))).not.toBe(scorerVersion(scorer('other', two)))
})

test('scorerVersion() of an instance changes with class and configuration', () => {
  const version = scorerVersion(new MinWords({ words: 3 }))
  expect(scorerVersion(new MinWords({ words: 3 }))).toBe(version)
  expect(scorerVersion(new MinWords({ words: 4 }))).not.toBe(version)
  class Base extends Scorer {
    readonly name: string = 'base'
    limit(): number {
      return 5
    }
    score() {
      return this.limit()
    }
  }
  class Derived extends Base {}
  class Other extends Base {
    override limit(): number {
      return 6
    }
  }
  class Renamed extends Base {
    override readonly name = 'renamed'
  }
  expect(scorerVersion(new Derived())).not.toBe(scorerVersion(new Other()))
  expect(scorerVersion(new Renamed())).not.toBe(scorerVersion(new Base()))
})

test('scorerVersion() sees a base class of the user’s own', () => {
  const made = (limit: number) => {
    const Base =
      limit === 5
        ? class Base extends Plain {
            limit() {
              return 5
            }
          }
        : class Base extends Plain {
            limit() {
              return 6
            }
          }
    return new (class Derived extends Base {})()
  }
  class Plain extends Scorer {
    readonly name: string = 'plain'
    score() {
      return 1
    }
  }
  expect(scorerVersion(made(5))).toBe(scorerVersion(made(5)))
  expect(scorerVersion(made(5))).not.toBe(scorerVersion(made(6)))
})

test('scorerVersion() sees every setting, also beside one that is no data', () => {
  class Judge extends Scorer {
    readonly name = 'judge'
    readonly ask: unknown
    readonly model: string
    constructor(model: string, ask: unknown = () => 1) {
      super()
      this.model = model
      this.ask = ask
    }
    score() {
      return 1
    }
  }
  expect(scorerVersion(new Judge('a'))).not.toBe(scorerVersion(new Judge('b')))
  expect(scorerVersion(new Judge('a', () => 2))).not.toBe(scorerVersion(new Judge('a')))
  expect(scorerVersion(new Judge('a', [() => 2, Symbol('x')]))).toBe(
    scorerVersion(new Judge('a', [() => 2, Symbol('x')])),
  )
})
