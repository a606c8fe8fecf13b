import { quote } from '../errors.ts'
import type { Judge, JudgeArgs, JudgeOptions } from '../judge.ts'
import type { Field } from './block.ts'
import { availableTools, callsDifference, callsText, expectedCalls, madeCalls } from './calls.ts'
import { expected, expectedField, inputsField, traceOf } from './fields.ts'
import { byCode, readyJudge } from './judging.ts'

/** What `ToolCallCorrectness()` takes. */
export interface ToolCallCorrectnessOptions extends JudgeOptions {
  /** Compares with `expected_tool_calls` in code, asking no model; a row has to have them. @default false */
  readonly shouldExactMatch?: boolean
  /** Whether the order of calls has to be the expected one. @default false */
  readonly shouldConsiderOrdering?: boolean
}

/**
 * Gives `yes` when the right tools were called with the right arguments, else `no`: by the expectation `expected_tool_calls` where the row has it
 * (a list of `{ name, arguments? }`), else by what the request called for. Reads the trace's spans of type TOOL by start time. Column
 * `tool_call_correctness`.
 *
 * With `shouldExactMatch` names and arguments are compared as data: arguments only where every expected call states them.
 *
 * @throws TypeError for options that do not fit
 */
export function ToolCallCorrectness(options?: ToolCallCorrectnessOptions): Judge {
  const { shouldExactMatch = false, shouldConsiderOrdering = false, ...rest } = options ?? {}
  for (const [key, value] of Object.entries({ shouldExactMatch, shouldConsiderOrdering })) {
    if (typeof value !== 'boolean')
      throw new TypeError(`Cannot make ToolCallCorrectness(): "${key}" must be true or false, found ${quote(value)}`)
  }
  const order = shouldConsiderOrdering ? TOOL_ORDER.fixed : TOOL_ORDER.free
  return readyJudge('ToolCallCorrectness', rest, {
    name: 'tool_call_correctness',
    task: `${CORRECT}\n\n${order}`,
    own: { shouldExactMatch, shouldConsiderOrdering },
    config: { shouldExactMatch },
    asks: !shouldExactMatch,
    fields: (args) =>
      shouldExactMatch ? [expectedField(args, 'expected_tool_calls')] : [...callFields(args), ...wantedField(args)],
    ...(shouldExactMatch && {
      settle: (args: JudgeArgs) => {
        const wanted = expectedCalls(expected(args, 'expected_tool_calls'))
        const difference = callsDifference(madeCalls(traceOf(args)), wanted, shouldConsiderOrdering)
        return byCode(
          difference === undefined ? 'yes' : 'no',
          difference ?? `all ${wanted.length} expected calls were made`,
        )
      },
    }),
  })
}

/**
 * Gives `yes` when no call of a tool was redundant, missing or wasteful, else `no`. Reads `inputs` and the trace's spans of type TOOL. Column
 * `tool_call_efficiency`.
 */
export function ToolCallEfficiency(options?: JudgeOptions): Judge {
  return readyJudge('ToolCallEfficiency', options, {
    name: 'tool_call_efficiency',
    task: EFFICIENT,
    fields: callFields,
  })
}

function callFields(args: JudgeArgs): Field[] {
  const trace = traceOf(args)
  const tools = availableTools(trace)
  return [
    inputsField(args),
    ...(tools === undefined ? [] : [{ name: 'available_tools', value: tools }]),
    { name: 'tool_calls', value: callsText(madeCalls(trace)) },
  ]
}

function wantedField(args: JudgeArgs): Field[] {
  const wanted = expected(args, 'expected_tool_calls')
  if (wanted === undefined) return []
  return [{ name: 'expected_tool_calls', value: callsText(expectedCalls(wanted)) }]
}

/** What the order of calls means. */
export const TOOL_ORDER = {
  fixed: 'The order of the calls has to be the expected one.',
  free: 'The order of the calls does not count.',
}

export const CORRECT = `Decide whether an application called the right tools with the right arguments.

"inputs" is what it was asked, "tool_calls" what it called, in order, with arguments and results. "available_tools", where it is there, holds the
tools it could choose from. "expected_tool_calls", where it is there, holds the calls it should have made.

- "yes": with expected calls: each was made, none beside them, with arguments that mean the same. Without: every call was a sensible step
  towards the request, with arguments that follow from it or from earlier results, and none that was needed is missing.
- "no": otherwise. Name the call.

What the tools gave back is not the application's fault.`

export const EFFICIENT = `Decide whether an application used its tools efficiently.

"inputs" is what it was asked, "tool_calls" what it called, in order, with arguments and results. "available_tools", where it is there, holds the
tools it could choose from.

- "yes": no call could have been spared. Repeating a call after it failed, or with arguments that its result made necessary, is fine.
- "no": a call repeats another to no end, asks for what was known already, was not needed for the request, or several should have been one.
  A missing call that made a detour necessary counts as well. Name the calls.

Whether the final answer is right does not count.`
