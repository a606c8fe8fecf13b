import { Levenshtein } from 'autoevals'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { Feedback } from '../../src/feedback.ts'
import {
  Correctness,
  type CustomPromptJudge,
  customPromptJudge,
  fromAutoevals,
  Guidelines,
  isSafe,
  type Judge,
  makeJudge,
  pairwiseJudge,
  panel,
  RetrievalRelevance,
  Safety,
  UserFrustration,
} from '../../src/judges/index.ts'
import { type Scorer, scorer } from '../../src/scorer.ts'
import { evaluate } from '../../src/workspace.ts'

// A judge is a scorer, stands in any list, and is called by itself.
expectTypeOf(Safety()).toExtend<Scorer>()
expectTypeOf(Safety()).toEqualTypeOf<Judge>()
expectTypeOf(Safety()({ outputs: 'x' })).toEqualTypeOf<Promise<Feedback>>()
expectTypeOf(RetrievalRelevance()({})).toEqualTypeOf<Promise<readonly Feedback[]>>()
expectTypeOf(isSafe({ content: 'x' })).toEqualTypeOf<Promise<Feedback>>()
expectTypeOf(Safety().with({ model: 'openai:/x' })).toEqualTypeOf<Judge>()
const app = (question: string): { readonly text: string } => ({ text: question })
evaluate([{ inputs: 'q' }], app, [
  Safety({ model: 'databricks:/databricks-gpt-oss-20b', parameters: { temperature: 0 } }),
  Correctness({ model: async () => '{}' }),
  Guidelines({ name: 'english', guidelines: ['The response must be in English'] }),
  RetrievalRelevance(),
  UserFrustration(),
  pairwiseJudge(),
  panel(Safety(), { models: ['openai:/a', 'openai:/b'] }),
  makeJudge({ name: 'j', instructions: '{{ outputs }}', feedbackValueType: z.enum(['a', 'b']) }),
  makeJudge({ name: 'k', instructions: '{{ outputs }}', feedbackValueType: { min: 1, max: 5 } }),
  fromAutoevals(Levenshtein),
])

// A prompt of one's own names its variables itself, and its Feedback is what a scorer may give.
const formality = customPromptJudge({ name: 'f', promptTemplate: '{{ response }} [[a]] [[b]]' })
expectTypeOf(formality).toEqualTypeOf<CustomPromptJudge>()
expectTypeOf(formality({ response: 'x' })).toEqualTypeOf<Promise<Feedback>>()
scorer('wrapped', ({ outputs }) => formality({ response: outputs }))

// @ts-expect-error guidelines are needed
Guidelines({ name: 'none' })
// @ts-expect-error no such option
Safety({ modle: 'x' })
// @ts-expect-error no such parameter
Safety({ parameters: { temprature: 1 } })
// @ts-expect-error a panel is of one verdict each
panel(RetrievalRelevance(), { models: ['openai:/a', 'openai:/b'] })
// @ts-expect-error a value type is needed
makeJudge({ name: 'j', instructions: '{{ outputs }}' })
