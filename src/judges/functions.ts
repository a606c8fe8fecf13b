import type { Feedback } from '../feedback.ts'
import type { JudgeOptions } from '../judge.ts'
import type { Field } from './block.ts'
import { callsText, expectedCalls, type ToolCall } from './calls.ts'
import { Correctness } from './correctness.ts'
import { inputsField, outputsField, truthField, Unjudged } from './fields.ts'
import { GUIDELINES, guidelineList } from './guidelines.ts'
import { readyJudge } from './judging.ts'
import { GROUNDED, SUFFICIENT } from './retrieval.ts'
import { Safety } from './safety.ts'
import { CORRECT, EFFICIENT, TOOL_ORDER } from './tools.ts'

/** Judges as functions, for scorers of your own: each takes what it judges by name, and gives one Feedback. */

/** Asks whether a context has to do with a request: `yes` or `no`. The Feedback's name is `relevance_to_context`. */
export function isContextRelevant({
  request,
  context,
  ...options
}: JudgeOptions & { readonly request: unknown; readonly context: unknown }): Promise<Feedback> {
  return readyJudge('isContextRelevant', options, {
    name: 'relevance_to_context',
    task: RELEVANT,
    fields: () => [inputsField({ inputs: request }), contextField('context', context)],
  })({})
}

/** Asks whether a context suffices for the expected answer: `yes` or `no`. The Feedback's name is `context_sufficiency`. */
export function isContextSufficient({
  request,
  context,
  expectedFacts,
  expectedResponse,
  ...options
}: JudgeOptions & Truth & { readonly request: unknown; readonly context: unknown }): Promise<Feedback> {
  return readyJudge('isContextSufficient', options, {
    name: 'context_sufficiency',
    task: SUFFICIENT,
    fields: () => [
      inputsField({ inputs: request }),
      truthField({ expectations: truth(expectedFacts, expectedResponse) }),
      contextField('retrieved_documents', context),
    ],
  })({})
}

/** Asks whether a response says what is expected: `yes` or `no`. The Feedback's name is `correctness`. */
export function isCorrect({
  request,
  response,
  expectedFacts,
  expectedResponse,
  ...options
}: JudgeOptions & Truth & { readonly request: unknown; readonly response: unknown }): Promise<Feedback> {
  const expectations = truth(expectedFacts, expectedResponse)
  return Correctness(options)({ inputs: request, outputs: response, expectations })
}

/** Asks whether a response is supported by a context: `yes` or `no`. The Feedback's name is `groundedness`. */
export function isGrounded({
  request,
  response,
  context,
  ...options
}: JudgeOptions & {
  readonly request: unknown
  readonly response: unknown
  readonly context: unknown
}): Promise<Feedback> {
  return readyJudge('isGrounded', options, {
    name: 'groundedness',
    task: GROUNDED,
    fields: () => [
      inputsField({ inputs: request }),
      outputsField({ outputs: response }),
      contextField('retrieved_documents', context),
    ],
  })({})
}

/** Asks whether a text is free of anything harmful: `yes` or `no`. The Feedback's name is `safety`. */
export function isSafe({ content, ...options }: JudgeOptions & { readonly content: unknown }): Promise<Feedback> {
  return Safety(options)({ outputs: content })
}

/**
 * Asks whether a context (`{ request, response }`, or whatever the guidelines speak of) meets every guideline: `yes` or `no`. The
 * Feedback's name is `guidelines`.
 */
export function meetsGuidelines({
  guidelines,
  context,
  ...options
}: JudgeOptions & {
  readonly guidelines: string | readonly string[]
  readonly context: Readonly<Record<string, unknown>>
}): Promise<Feedback> {
  const list = guidelineList('meetsGuidelines', guidelines)
  const names = Object.keys(context ?? {}).map((name) => JSON.stringify(name))
  return readyJudge('meetsGuidelines', options, {
    name: 'guidelines',
    task: `${GUIDELINES}\n\nHere the material is in ${names.join(', ')}.\n\nThe guidelines:\n${list}`,
    fields: () => Object.entries(context ?? {}).map(([name, value]) => contextField(name, value)),
  })({})
}

/** Asks whether the right tools were called with the right arguments: `yes` or `no`. The Feedback's name is `tool_call_correctness`. */
export function isToolCallCorrect({
  request,
  toolsCalled,
  availableTools,
  expectedToolCalls,
  ...options
}: JudgeOptions & Calls & { readonly expectedToolCalls?: readonly ToolCall[] }): Promise<Feedback> {
  return readyJudge('isToolCallCorrect', options, {
    name: 'tool_call_correctness',
    task: `${CORRECT}\n\n${TOOL_ORDER.free}`,
    fields: () => [
      ...callFields({ request, toolsCalled, availableTools }),
      ...(expectedToolCalls === undefined
        ? []
        : [{ name: 'expected_tool_calls', value: callsText(expectedCalls(expectedToolCalls)) }]),
    ],
  })({})
}

/** Asks whether no call of a tool was redundant or wasteful: `yes` or `no`. The Feedback's name is `tool_call_efficiency`. */
export function isToolCallEfficient({
  request,
  toolsCalled,
  availableTools,
  ...options
}: JudgeOptions & Calls): Promise<Feedback> {
  return readyJudge('isToolCallEfficient', options, {
    name: 'tool_call_efficiency',
    task: EFFICIENT,
    fields: () => callFields({ request, toolsCalled, availableTools }),
  })({})
}

/** The truth that an answer is measured by: one of the two. */
interface Truth {
  readonly expectedFacts?: readonly string[]
  readonly expectedResponse?: string
}

interface Calls {
  readonly request: unknown
  readonly toolsCalled: readonly (ToolCall & { readonly result?: unknown })[]
  /** Definitions of the tools that could have been called. */
  readonly availableTools?: unknown
}

function truth(expected_facts: unknown, expected_response: unknown): Record<string, unknown> {
  return {
    ...(expected_facts !== undefined && { expected_facts }),
    ...(expected_response !== undefined && { expected_response }),
  }
}

function contextField(name: string, value: unknown): Field {
  if (value === undefined || value === null) throw new Unjudged('INPUTS_MISSING', `there is no ${name} to judge`)
  return { name, value }
}

function callFields({ request, toolsCalled, availableTools }: Calls): Field[] {
  return [
    inputsField({ inputs: request }),
    ...(availableTools === undefined ? [] : [{ name: 'available_tools', value: availableTools }]),
    { name: 'tool_calls', value: callsText(expectedCalls(toolsCalled, 'toolsCalled')) },
  ]
}

const RELEVANT = `Decide whether a context is relevant to a request.

"inputs" is the request, "context" is what there is to it: a document, an answer, data.

- "yes": something in the context speaks to the request, be it only a part of it.
- "no": nothing does. Sharing a topic or some words is not enough.

Whether the context is true or complete does not count.`
