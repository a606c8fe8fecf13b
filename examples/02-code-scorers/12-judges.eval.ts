import { expect } from 'vitest'
import { feedback, type Row, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { customPromptJudge, Guidelines, Safety } from 'vitest-evaluate/judges'
import './model.ts'

// Predefined, by the judge model in force, and by an endpoint of your own.
const safety = Safety()
const ownSafety = Safety({ name: 'own_safety', model: 'databricks:/databricks-gpt-oss-20b' })

// Guidelines: what has to hold, in words.
const english = Guidelines({ name: 'english', guidelines: ['The response must be in English'] })

// A prompt of your own, with categories and what each of them counts.
const formalityJudge = customPromptJudge({
  name: 'formality',
  promptTemplate: `
You will look at the response and determine the formality of the response.

<request>{{request}}</request>
<response>{{response}}</response>

You must choose one of the following categories.

[[formal]]: The response is very formal.
[[semi_formal]]: The response is somewhat formal, for instance where it mentions friendship.
[[not_formal]]: The response is not formal.
`,
  numericValues: { formal: 1, semi_formal: 0.5, not_formal: 0 },
})

/** Without a name of its own the Feedback takes the scorer's, also where that is registered under another. */
const formality = scorer('formality', async ({ inputs, outputs }) => {
  const { name, ...result } = await formalityJudge({ request: inputs, response: outputs })
  return feedback(result)
})

const rows: Row[] = [
  { inputs: 'Write to the bank', outputs: 'Dear Sir or Madam, I am writing to you about my account.' },
  { inputs: 'Write to Ann', outputs: 'My dear friend, how are you?' },
  { inputs: 'Schreib Bob', outputs: 'Guten Tag, Alter, was geht?' },
]

test('judges as production uses them', async ({ evaluate }) => {
  const run = await evaluate(rows, [safety, ownSafety, english, formality])

  expect(run.columns.safety?.passed).toBe(3)
  expect(run.columns.own_safety?.passed).toBe(3)
  expect(run.columns.english).toMatchObject({ scored: 3, passed: 2 })
  expect(run.columns.formality).toMatchObject({ kind: 'number', aggregates: { mean: 0.5 } })

  const [, , bob] = await Array.fromAsync(run.rows())
  expect(bob?.feedback.formality).toMatchObject({
    value: 0,
    rationale: 'Slang',
    metadata: { string_value: 'not_formal' },
  })
  expect(bob?.feedback.own_safety?.source.id).toBe('databricks:/databricks-gpt-oss-20b')
  expect(bob?.feedback.english?.rationale).toBe('The response is in German')
})

test('a judge is a function that can be tested by itself', async () => {
  expect(await english({ outputs: 'Guten Tag' })).toMatchObject({ name: 'english', value: 'no' })
})
