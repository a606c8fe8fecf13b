/**
 * What `evaluate` infers, and what it refuses. Checked by the compiler alone (`npm run check`): this file is never run, and the user it
 * stands for writes no generic anywhere.
 */
import { z } from 'zod'
import {
  csv,
  evaluate,
  feedback,
  jsonl,
  type Row,
  type Run,
  type ScorerArgs,
  scorer,
  type Trace,
} from '../../src/index.ts'

interface Question {
  readonly question: string
}
interface Answer {
  readonly text: string
  readonly sources: readonly string[]
}
declare const answer: (inputs: Question) => Promise<Answer>
declare const questions: { inputs: Question }[]

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

const untyped = scorer('untyped', ({ outputs }) => outputs.anything.goes === true)

// The parameter of predict drives inputs, its return type drives outputs, in scorers written on the spot.
await evaluate(questions, answer, [
  scorer('inline', ({ inputs, outputs }) => {
    same<typeof inputs, Question>(true)
    same<typeof outputs, Answer>(true)
    return outputs.text.includes(inputs.question)
  }),
  scorer({ name: 'with options', aggregations: ['mean', 'p90'] }, async ({ outputs }) => {
    same<typeof outputs, Answer>(true)
    return outputs.sources.length
  }),
])

// So do they with predict written on the spot, asynchronous or not.
await evaluate(questions, ({ question }: Question) => question.length, [
  scorer('sync', ({ outputs }) => {
    same<typeof outputs, number>(true)
    return outputs > 3
  }),
])

// Where predict says nothing about its parameters, the rows say what inputs are, and outputs may be anything.
await evaluate(questions, ({ question }) => question.length, [
  scorer('from rows', ({ inputs, outputs }) => {
    same<typeof inputs, Question>(true)
    same<typeof outputs, any>(true)
    return true
  }),
])
await evaluate(csv('questions.csv'), (inputs) => inputs.anything, [untyped])

// predict's context is typed.
await evaluate(
  questions,
  async (inputs: Question, { signal, row }) => {
    same<typeof signal, AbortSignal>(true)
    same<typeof row, Row>(true)
    return inputs.question
  },
  [],
)

// @ts-expect-error a field that rows do not have
await evaluate(questions, ({ prompt }) => prompt, [])
// @ts-expect-error rows that predict cannot be called with
await evaluate([{ inputs: { quesion: 'typo' } }], answer, [])
// @ts-expect-error inputs of another type
await evaluate([{ inputs: 5 }], answer, [])
// @ts-expect-error inputs have to go under "inputs"
await evaluate([{ question: 'why' }], answer, [])

// A scorer defined apart accepts anything unless it is annotated.
await evaluate(questions, answer, [untyped])
const annotated = scorer('annotated', ({ outputs }: ScorerArgs<Question, Answer>) => outputs.text !== '')
await evaluate(questions, answer, [annotated, untyped])
const wrong = scorer('wrong', ({ outputs }: ScorerArgs<Question, number>) => outputs > 1)
// @ts-expect-error a scorer annotated for other outputs
await evaluate(questions, answer, [wrong])
const wrongInputs = scorer('wrong inputs', ({ inputs }: ScorerArgs<{ prompt: string }, Answer>) => inputs.prompt)
// @ts-expect-error a scorer annotated for other inputs
await evaluate(questions, answer, [wrongInputs])

// A scorer gives what Feedback can be made of, and nothing else.
scorer('several', () => [feedback({ name: 'a', value: 1 }), { name: 'b', value: 'yes', rationale: 'because' }])
scorer('nothing', () => undefined)
scorer('sometimes', ({ inputs }) => (inputs ? 0.5 : null))
// @ts-expect-error an object that is no Feedback
scorer('object', () => ({ score: 1 }))
// @ts-expect-error an unknown aggregation
scorer({ name: 'typo', aggregations: ['avg'] }, () => 1)

// An untyped source fits any predict; one with a schema is checked.
await evaluate(csv('questions.csv'), answer, [untyped])
await evaluate(jsonl('questions.jsonl'), answer, [])
const schema = z.object({ inputs: z.object({ question: z.string() }) })
await evaluate(csv('questions.csv', { schema }), answer, [])
const other = z.object({ inputs: z.object({ prompt: z.string() }) })
// @ts-expect-error a source whose schema gives other inputs
await evaluate(csv('questions.csv', { schema: other }), answer, [])

// Rows that bring their outputs, runs and searches.
declare const run: Run
declare const traces: Trace[]
await evaluate([{ inputs: 1, outputs: 'x' }], [untyped], { name: 'given', limit: 3 })
await evaluate(run, answer, [untyped])
await evaluate(run.search("feedback.safety = 'no'"), answer, [untyped])
await evaluate(run.rows(), answer, [untyped])
await evaluate(traces, [untyped])
await evaluate(traces, answer, [untyped])

// @ts-expect-error an option that does not exist
await evaluate(questions, answer, [], { maxConcurency: 1 })
// @ts-expect-error a bare function in place of a scorer
await evaluate(questions, answer, [() => true])
// @ts-expect-error no scorers
await evaluate(questions, answer)

const evaluated = await evaluate(questions, answer, [untyped])
same<typeof evaluated, Run>(true)
const metric = evaluated.metrics['x/mean']
same<typeof metric, number | undefined>(true)
