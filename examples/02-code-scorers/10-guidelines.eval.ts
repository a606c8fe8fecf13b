import { expect } from 'vitest'
import { type Row, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { Guidelines } from 'vitest-evaluate/judges'
import './model.ts'

// Premium users get answers that are made for them, with examples.
const premiumJudge = Guidelines({
  name: 'premium_experience',
  guidelines: [
    "The response must acknowledge the user's premium status",
    'The response must provide detailed explanations with at least 3 specific examples',
    "The response must offer priority support options (e.g., 'direct line' or 'dedicated agent')",
    'The response must not include any upselling or promotional content',
  ],
})

// Standard users get clear and short ones.
const standardJudge = Guidelines({
  name: 'standard_experience',
  guidelines: [
    'The response must be helpful and professional',
    'The response must be concise (under 100 words)',
    'The response may mention premium features as upgrade options',
  ],
})

/** A judge is called like a function, so that a scorer can choose one by what it sees. */
const premiumServiceValidator = scorer('premium_service_validator', ({ inputs, outputs }) =>
  inputs.user_tier === 'premium' ? premiumJudge({ inputs, outputs }) : standardJudge({ inputs, outputs }),
)

const evalData: Row[] = [
  {
    inputs: { question: 'How do I export my data?', user_tier: 'premium' },
    outputs: {
      response:
        'As a premium member, you can export in 5 formats: CSV, Excel, JSON, XML and PDF. 1) Go to Settings > Export, ' +
        "2) choose your format and date range, 3) click 'Export Now'. Your dedicated agent is one call away.",
    },
  },
  {
    inputs: { question: 'How do I export my data?', user_tier: 'standard' },
    outputs: {
      response:
        'You can export your data as CSV from Settings > Export. Premium users can use more formats, such as Excel and PDF.',
    },
  },
]

test('guidelines that depend on the row', async ({ evaluate }) => {
  // Each row fills one of the two columns.
  const run = await evaluate(evalData, [premiumServiceValidator], { minScored: 1 / 2 })

  expect(run.columns.premium_experience).toMatchObject({ scored: 1, missing: 1, passed: 1 })
  expect(run.columns.standard_experience).toMatchObject({ scored: 1, missing: 1, passed: 1 })
  expect(run.metrics).toEqual({ 'premium_experience/mean': 1, 'standard_experience/mean': 1 })
})
