import { expectTypeOf } from 'vitest'
import {
  type AssessmentError,
  type Feedback,
  type FeedbackInit,
  type FeedbackValue,
  feedback,
  type GivenFeedback,
  toFeedback,
} from '../../src/feedback.ts'

expectTypeOf(feedback({ value: true })).toEqualTypeOf<GivenFeedback>()
expectTypeOf(toFeedback(1, { scorer: 's' })).toEqualTypeOf<Feedback[]>()
expectTypeOf<boolean | number | string | string[] | { a: number }>().toExtend<FeedbackValue>()
expectTypeOf<Date>().not.toExtend<FeedbackValue>()
expectTypeOf<Promise<boolean>>().not.toExtend<FeedbackValue>()
expectTypeOf<{ a: { b: number } }>().not.toExtend<FeedbackValue>()
expectTypeOf<Feedback>().toExtend<FeedbackInit>()
expectTypeOf<Feedback['error']>().toEqualTypeOf<AssessmentError | undefined>()

feedback({ value: null, rationale: 'nothing to judge' })
feedback({ error: new Error('x') })
feedback({ error: 'x' })
feedback({ value: 1, source: { type: 'HUMAN', id: 'ann' }, metadata: { model: 'm', n: 1, ok: true }, spanId: 's' })

// @ts-expect-error an unknown field
feedback({ score: 1 })
// @ts-expect-error a rationale is text
feedback({ value: 1, rationale: 5 })
// @ts-expect-error a source has a known type
feedback({ value: 1, source: { type: 'ROBOT', id: 'x' } })
// @ts-expect-error metadata is flat
feedback({ value: 1, metadata: { usage: { tokens: 1 } } })
// @ts-expect-error a forgotten await
feedback({ value: Promise.resolve(true) })
// @ts-expect-error no value alone
feedback(true)
