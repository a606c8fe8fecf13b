import { expect } from 'vitest'
import { feedback, Scorer, scorer } from 'vitest-evaluate'
import { test } from './traces.ts'

// Made from functions. A primitive and a Feedback without a name take the scorer's name: the function's, or a given one.
const decoratorPrimitive = scorer(function decorator_primitive() {
  return 1
})

const decoratorUnnamedFeedback = scorer('decorator_unnamed_feedback', () =>
  feedback({ value: true, rationale: 'Good quality' }),
)

// A Feedback's own name wins.
const decoratorFeedbackNamed = scorer('decorator_feedback_named', () =>
  feedback({ name: 'decorator_named_feedback', value: true, rationale: 'Factual accuracy is high' }),
)

const decoratorNamedFeedbacks = scorer('decorator_named_feedbacks', () => [
  feedback({ name: 'decorator_named_feedback_1', value: true, rationale: 'No errors' }),
  feedback({ name: 'decorator_named_feedback_2', value: 0.9, rationale: 'Very clear' }),
])

// Made from classes: the same rules.
class ScorerPrimitive extends Scorer {
  readonly name = 'scorer_primitive'
  score() {
    return 1
  }
}

// In MLflow's example this one is called scorer_named_feedback, like the Feedback of the next: here two scorers cannot share a column.
class ScorerFeedbackUnnamed extends Scorer {
  readonly name = 'scorer_unnamed_feedback'
  score() {
    return feedback({ value: true, rationale: 'Good' })
  }
}

class ScorerFeedbackNamed extends Scorer {
  readonly name = 'scorer_feedback_named' // Its Feedback has a name of its own
  score() {
    return feedback({ name: 'scorer_named_feedback', value: true, rationale: 'Good' })
  }
}

class ScorerNamedFeedbacks extends Scorer {
  readonly name = 'scorer_named_feedbacks'
  score() {
    return [
      feedback({ name: 'scorer_named_feedback_1', value: true, rationale: 'Good' }),
      feedback({ name: 'scorer_named_feedback_2', value: 1, rationale: 'ok' }),
    ]
  }
}

test('names', async ({ evaluate, generatedTraces }) => {
  const run = await evaluate(generatedTraces, [
    decoratorPrimitive,
    decoratorUnnamedFeedback,
    decoratorFeedbackNamed,
    decoratorNamedFeedbacks,
    new ScorerPrimitive(),
    new ScorerFeedbackUnnamed(),
    new ScorerFeedbackNamed(),
    new ScorerNamedFeedbacks(),
  ])

  expect(Object.keys(run.columns)).toEqual([
    'decorator_primitive',
    'decorator_unnamed_feedback',
    'decorator_named_feedback',
    'decorator_named_feedback_1',
    'decorator_named_feedback_2',
    'scorer_primitive',
    'scorer_unnamed_feedback',
    'scorer_named_feedback',
    'scorer_named_feedback_1',
    'scorer_named_feedback_2',
  ])
})

test('one name twice is refused before anything runs', async ({ evaluate, generatedTraces }) => {
  await expect(evaluate(generatedTraces, [new ScorerPrimitive(), new ScorerPrimitive()])).rejects.toThrow(
    'Cannot evaluate: scorer 2 of 2 is called "scorer_primitive", as is scorer 1',
  )
})
