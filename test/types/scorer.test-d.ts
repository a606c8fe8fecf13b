import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { feedback } from '../../src/feedback.ts'
import {
  type FunctionScorer,
  Scorer,
  type ScorerArgs,
  type ScorerBase,
  type ScorerResult,
  type SessionArgs,
  type SessionScorer,
  scorer,
} from '../../src/scorer.ts'
import type { Trace } from '../../src/trace.ts'

// A scorer defined apart takes anything.
const concise = scorer('concise', ({ outputs }) => outputs.length <= 400)
expectTypeOf(concise).toExtend<Scorer>()
expectTypeOf(concise).toEqualTypeOf<FunctionScorer<any, any, boolean>>()
expectTypeOf(concise.name).toEqualTypeOf<string>()
expectTypeOf(concise({ outputs: 'x' })).toEqualTypeOf<boolean | Promise<boolean>>()

// What the function is given.
scorer('args', (args) => {
  expectTypeOf(args).toEqualTypeOf<ScorerArgs<any, any>>()
  expectTypeOf(args.trace).toEqualTypeOf<Trace>()
  expectTypeOf(args.signal).toEqualTypeOf<AbortSignal>()
  return null
})

// At the level of sessions it is given a conversation, and nothing of a single row.
const turns = scorer({ name: 'turns', level: 'session' }, (args) => {
  expectTypeOf(args).toEqualTypeOf<SessionArgs>()
  expectTypeOf(args.session).toEqualTypeOf<readonly Trace[]>()
  // @ts-expect-error
  args.outputs
  return args.session.length
})
expectTypeOf(turns).toExtend<Scorer>()
expectTypeOf(turns).toEqualTypeOf<SessionScorer<number>>()
class Closing extends Scorer {
  readonly name = 'closing'
  override readonly level = 'session'
  score({ session }: SessionArgs) {
    return session.length > 0
  }
}
expectTypeOf(new Closing()).toExtend<Scorer>()
scorer({ name: 'x', level: 'trace' }, ({ outputs }) => outputs.length)

// Everything that a scorer may give, at once or later.
scorer('text', () => 'yes')
scorer('number', async () => 0.5)
scorer('nothing', () => undefined)
scorer('perhaps', ({ outputs }) => (outputs ? true : null))
scorer('one', () => feedback({ value: true, rationale: 'r' }))
scorer('plain', () => ({ value: 'warm', rationale: 'r' }))
scorer('several', async () => [feedback({ name: 'a', value: 1 }), feedback({ name: 'b', value: ['x'] })])
scorer(
  {
    name: 'options',
    aggregations: [
      'mean',
      'p90',
      function spread(values) {
        return Math.max(...values)
      },
    ],
  },
  () => 1,
)
scorer(function named() {
  return 1
})

// Annotated parts narrow.
const typed = scorer(
  'typed',
  ({ inputs, outputs }: ScorerArgs<{ question: string }, string>) => inputs.question === outputs,
)
expectTypeOf(typed.score).parameter(0).toEqualTypeOf<ScorerArgs<{ question: string }, string>>()

// @ts-expect-error a record that is no Feedback
scorer('record', () => ({ score: 1 }))
// @ts-expect-error a list of values
scorer('values', () => [1, 2])
// @ts-expect-error a date is no value
scorer('date', () => feedback({ value: new Date() }))
// @ts-expect-error a bigint
scorer('big', () => 5n)
// @ts-expect-error no function
scorer('alone')
// @ts-expect-error an unknown aggregation
scorer({ name: 'x', aggregations: ['avg'] }, () => 1)
// @ts-expect-error an unknown option
scorer({ name: 'x', aggregation: 'mean' }, () => 1)
// @ts-expect-error an unknown field
feedback({ values: 1 })

const settings = z.object({ words: z.number().default(50), unit: z.enum(['word', 'line']).optional() })

class MinWords extends Scorer.with(settings) {
  readonly name = 'min_words'
  score({ outputs }: ScorerArgs) {
    expectTypeOf(this.words).toEqualTypeOf<number>()
    expectTypeOf(this.unit).toEqualTypeOf<'word' | 'line' | undefined>()
    return outputs.split(/\s+/).length >= this.words
  }
}
expectTypeOf(new MinWords()).toExtend<Scorer>()
expectTypeOf(new MinWords({ words: 3 }).words).toEqualTypeOf<number>()
expectTypeOf(new MinWords().score({} as ScorerArgs)).toEqualTypeOf<boolean>()
expectTypeOf<ScorerBase<typeof settings>>().toExtend<abstract new (...all: any[]) => Scorer>()
// @ts-expect-error a wrong field
new MinWords({ words: 'x' })
// @ts-expect-error an unknown field
new MinWords({ word: 3 })
// @ts-expect-error fields cannot be set
new MinWords().words = 5

class Required extends Scorer.with(z.object({ topic: z.string() })) {
  readonly name = 'required'
  async score() {
    return feedback({ value: this.topic })
  }
}
// @ts-expect-error a required field
new Required()
new Required({ topic: 'x' })

// @ts-expect-error no name
class NoName extends Scorer.with(settings) {
  score() {
    return 1
  }
}
// @ts-expect-error no score
class NoScore extends Scorer.with(settings) {
  readonly name = 'x'
}
class WrongScore extends Scorer.with(settings) {
  readonly name = 'x'
  // @ts-expect-error a date is no result
  score() {
    return new Date()
  }
}
expectTypeOf<NoName | NoScore | WrongScore>().not.toBeAny()

// The name may come with the configuration.
class Named extends Scorer.with(z.object({ name: z.string() })) {
  score(): ScorerResult {
    return this.name
  }
}
expectTypeOf(new Named({ name: 'x' })).toExtend<Scorer>()

// @ts-expect-error no schema
Scorer.with({ words: 5 })
// @ts-expect-error a schema of no object
Scorer.with(z.string())
