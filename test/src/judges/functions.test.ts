import { expect, test } from 'vitest'
import {
  isContextRelevant,
  isContextSufficient,
  isCorrect,
  isGrounded,
  isSafe,
  isToolCallCorrect,
  isToolCallEfficient,
  meetsGuidelines,
} from '../../../src/judges/index.ts'
import { asking, scripted, verdict } from '../../data/judging.ts'

const request = 'Who wrote Emma?'
const response = 'Jane Austen did.'
const context = 'Emma, by Jane Austen'
const toolsCalled = [{ name: 'lookup', arguments: { title: 'Emma' }, result: 'Austen' }]

const ASKED: [string, (options: object) => Promise<unknown>, string, string[]][] = [
  [
    'isContextRelevant',
    (more) => isContextRelevant({ request, context: { response }, ...more }),
    'relevance_to_context',
    ['inputs', 'context'],
  ],
  [
    'isContextSufficient',
    (more) => isContextSufficient({ request, context, expectedFacts: ['Austen'], ...more }),
    'context_sufficiency',
    ['inputs', 'expected_facts', 'retrieved_documents'],
  ],
  [
    'isCorrect',
    (more) => isCorrect({ request, response, expectedResponse: 'Austen', ...more }),
    'correctness',
    ['inputs', 'outputs', 'expected_response'],
  ],
  [
    'isGrounded',
    (more) => isGrounded({ request, response, context, ...more }),
    'groundedness',
    ['inputs', 'outputs', 'retrieved_documents'],
  ],
  ['isSafe', (more) => isSafe({ content: response, ...more }), 'safety', ['outputs']],
  [
    'meetsGuidelines',
    (more) => meetsGuidelines({ guidelines: ['Be brief'], context: { request, response }, ...more }),
    'guidelines',
    ['request', 'response'],
  ],
  [
    'isToolCallCorrect',
    (more) =>
      isToolCallCorrect({
        request,
        toolsCalled,
        availableTools: [{ name: 'lookup' }],
        expectedToolCalls: [{ name: 'lookup' }],
        ...more,
      }),
    'tool_call_correctness',
    ['inputs', 'available_tools', 'tool_calls', 'expected_tool_calls'],
  ],
  [
    'isToolCallEfficient',
    (more) => isToolCallEfficient({ request, toolsCalled, ...more }),
    'tool_call_efficiency',
    ['inputs', 'tool_calls'],
  ],
]

test.each(ASKED)('%s() asks once and gives one Feedback', async (_, ask, name, fields) => {
  const model = scripted(verdict('yes'))
  const given = await asking(model, () => ask({}))
  expect(given).toEqual({
    name,
    value: 'yes',
    rationale: 'because',
    source: { type: 'LLM_JUDGE', id: 'test:/scripted' },
  })
  const shown = Array.from(
    model.requests[0]?.messages[1]?.content.matchAll(/ name="(\w+)">/g) ?? [],
    ([, field]) => field,
  )
  expect(shown).toEqual(fields)
})

test.each(ASKED)('%s() takes name, model and parameters', async (_, ask) => {
  const model = scripted(verdict('no'))
  const given = await asking(scripted('not this one'), () =>
    ask({ name: 'mine', model, parameters: { temperature: 0 } }),
  )
  expect(given).toMatchObject({ name: 'mine', value: 'no' })
  expect(model.requests[0]?.parameters).toEqual({ temperature: 0 })
})

test('a function says what it was not given, and asks nobody', async () => {
  const none = undefined as never
  const codes = await Promise.all([
    isContextRelevant({ request, context: none }),
    isContextSufficient({ request, context }),
    isCorrect({ request, response }),
    isCorrect({ request, response, expectedFacts: ['a'], expectedResponse: 'b' }),
    isGrounded({ request: none, response, context }),
    isSafe({ content: none }),
    isToolCallCorrect({ request, toolsCalled: 'x' as never }),
  ])
  expect(codes.map(({ error }) => error?.code)).toEqual([
    'INPUTS_MISSING',
    'EXPECTATION_MISSING',
    'EXPECTATION_MISSING',
    'EXPECTATION_INVALID',
    'INPUTS_MISSING',
    'OUTPUTS_MISSING',
    'EXPECTATION_INVALID',
  ])
  expect(codes[6]?.error?.message).toBe('toolsCalled must be a list of { name, arguments? }, found "x"')
  expect(() => isSafe({ content: 'x', modle: 'y' } as never)).toThrow('unknown option "modle" (did you mean "model"?)')
})
