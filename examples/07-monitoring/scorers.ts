import { feedback, Scorer, type ScorerArgs, scorer } from 'vitest-evaluate'
import { customPromptJudge } from 'vitest-evaluate/judges'

/**
 * The scorers of this project that are made of code. A store never keeps code: it keeps the path of this file and the name of the export, and whoever scores loads
 * it again. So a scorer may import what it likes, and take secrets from the environment of the process that scores.
 */

/** Whether the response mentions Databricks. */
export const mentionsDatabricks = scorer('mentions_databricks', ({ outputs }) =>
  /databricks/i.test(outputs?.response ?? ''),
)

/** The response's length in characters. */
export const responseLength = scorer(
  { name: 'response_length', aggregations: ['mean', 'min', 'max'] },
  ({ outputs }) => String(outputs?.response ?? '').length,
)

/** The share of the query's words that the response repeats. */
export const responseRelevanceScore = scorer('response_relevance_score', ({ inputs, outputs }) => {
  const words = (text = '') => new Set(text.toLowerCase().match(/\S+/g))
  const queryWords = [...words(inputs?.query)]
  const responseWords = words(outputs?.response)
  if (queryWords.length === 0) return 0
  return queryWords.filter((word) => responseWords.has(word)).length / queryWords.length
})

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
  model: 'databricks:/databricks-gpt-oss-20b', // optional
})

/** A judge with a prompt of its own inside a scorer, which says what the prompt's variables are. */
export const formality = scorer('formality', async ({ inputs, outputs }) => {
  const { name, ...result } = await formalityJudge({ request: inputs, response: outputs })
  return feedback(result)
})

/** Missing data is foreseen, and the values are of one kind. */
export const wellDesignedScorer = scorer('well_designed_scorer', ({ outputs }) => {
  const response = outputs?.response ?? ''
  if (!response) return 0
  return Number(response.length > 100)
})

/** A scorer with settings: what the module exports is an instance. */
class ComplexCustomScorer extends Scorer {
  readonly name = 'complex'
  readonly words: readonly string[]

  constructor(words: readonly string[]) {
    super()
    this.words = words
  }

  score({ outputs }: ScorerArgs) {
    const response = String(outputs?.response ?? '').toLowerCase()
    const found = this.words.filter((word) => response.includes(word))
    return feedback({ value: found.length / this.words.length, rationale: `found ${found.join(', ') || 'none'}` })
  }
}

export const complexScorer = new ComplexCustomScorer(['lakehouse', 'table', 'file'])
