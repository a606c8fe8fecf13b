import { expect } from 'vitest'
import { feedback, Scorer, type ScorerArgs } from 'vitest-evaluate'
import { z } from 'zod'
import { test } from './traces.ts'

const ResponseQualityConfig = z.object({
  minLength: z.number().int().min(0).default(50).describe('The least number of words'),
  requiredSections: z.array(z.string()).default([]).describe('Headings that the response has to have'),
})

/** A class where a scorer has settings: described, checked and typed by the schema. */
class ResponseQualityScorer extends Scorer.with(ResponseQualityConfig) {
  readonly name = 'response_quality'

  score({ outputs }: ScorerArgs) {
    const issues: string[] = []
    if (outputs.split(/\s+/).length < this.minLength) issues.push(`Too short (minimum ${this.minLength} words)`)
    const missing = this.requiredSections.filter((section) => !outputs.includes(section))
    if (missing.length > 0) issues.push(`Missing sections: ${missing.join(', ')}`)

    return issues.length > 0
      ? feedback({ value: false, rationale: issues.join('; ') })
      : feedback({ value: true, rationale: 'Response meets all quality criteria' })
  }
}

test('response quality', async ({ evaluate, generatedTraces }) => {
  const responseQualityScorer = new ResponseQualityScorer({ requiredSections: ['# Summary', '# Sources'] })
  const run = await evaluate(generatedTraces, [responseQualityScorer])

  expect(run.metrics).toEqual({ 'response_quality/mean': 0 })
  for await (const row of run.rows()) {
    expect(row.feedback.response_quality?.rationale).toBe(
      'Too short (minimum 50 words); Missing sections: # Summary, # Sources',
    )
  }
})

test('settings that do not fit', () => {
  expect(() => new ResponseQualityScorer({ minLength: -1 })).toThrow(
    'Cannot make ResponseQualityScorer: "minLength": Too small: expected number to be >=0',
  )
})
