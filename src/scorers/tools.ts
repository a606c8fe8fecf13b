import { messageOf, quote } from '../errors.ts'
import type { FeedbackInit } from '../feedback.ts'
import type { ScorerArgs } from '../scorer.ts'
import { canonical } from '../std/json.ts'
import { clip } from '../std/text.ts'
import { sameData } from './equality.ts'
import { oneOf, type ReadyOptions, settle, word } from './options.ts'
import { pairUp } from './pairing.ts'
import { type ReadyScorer, ready, Unscored, verdict } from './ready.ts'
import { commonSubsequence } from './subsequence.ts'
import { expectedValue } from './text.ts'

const VERDICTS = ['exact', 'any-order', 'superset'] as const
const FIGURES = ['in-order', 'precision', 'recall', 'f1'] as const
const ARGUMENTS = ['exact', 'subset', 'ignore'] as const

/** Which calls are compared, and how strictly. */
export interface ToolCallsOptions extends ReadyOptions {
  /** What is asked of the calls, see `toolCalls()`. @default 'exact' */
  readonly mode?: (typeof VERDICTS)[number] | (typeof FIGURES)[number]
  /**
   * How arguments count: `exact` as equal data; `subset` lets a call have more fields than were expected; `ignore` looks at names
   * only. An expected call without `arguments` fits a call with any. @default 'exact'
   */
  readonly arguments?: (typeof ARGUMENTS)[number]
  /** Which expectation holds the calls: a list of `{ name, arguments? }`. @default 'expected_tool_calls' */
  readonly expectation?: string
}

/**
 * Compares the tools that were called (the trace's TOOL spans by start time, their inputs as arguments) with the expected calls.
 *
 * With A called, R expected and A ∩ R the most calls that can be paired one to one, the modes give:
 * - `exact`: `yes` for the same calls in the same order and no other, else `no`. Column `tool_call_match`, as for the next two
 * - `any-order`: `yes` for the same calls, whatever their order
 * - `superset`: `yes` when every expected call was made, whatever else was
 * - `in-order`: longest common subsequence / |R|, 0 to 1. Column `tool_call_in_order`
 * - `precision`: |A ∩ R| / |A|. Column `tool_call_precision`
 * - `recall`: |A ∩ R| / |R|. Column `tool_call_recall`
 * - `f1`: 2 |A ∩ R| / (|A| + |R|). Column `tool_call_f1`
 *
 * Nothing called where nothing was expected is `yes`, or 1. A share of nothing (precision without a call, recall or order without an
 * expected one) has no value, and counts as missing. The expectation has MLflow's form, `expected_tool_calls: [{ name, arguments? }]`; a row without it,
 * or without a trace, gets an error. `matched`, `called` and `expected` stand in the Feedback's metadata.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function toolCalls(options?: ToolCallsOptions): ReadyScorer {
  const figure = FIGURES.find((mode) => mode === options?.mode)
  const settings = settle(
    'toolCalls',
    options,
    {
      name: figure ? `tool_call_${figure.replace('-', '_')}` : 'tool_call_match',
      mode: 'exact',
      arguments: 'exact',
      expectation: 'expected_tool_calls',
    },
    { mode: oneOf([...VERDICTS, ...FIGURES]), arguments: oneOf(ARGUMENTS), expectation: word },
  )
  const { mode, arguments: strictness, expectation } = settings
  const fits = (made: Call, wanted: Call): boolean =>
    made.name === wanted.name &&
    (strictness === 'ignore' ||
      wanted.arguments === undefined ||
      sameData(made.arguments ?? {}, wanted.arguments, strictness === 'subset'))
  return ready('toolCalls', settings, (args) => {
    const wanted = expectedCalls(expectedValue(args, expectation), expectation)
    const made = madeCalls(args.trace)
    const partners = pairUp(wanted.length, made.length, (i, j) => fits(made[j] as Call, wanted[i] as Call))
    const matched = partners.filter((j) => j >= 0).length
    const metadata = { matched, called: made.length, expected: wanted.length }
    const rationale = difference(made, wanted, partners)
    const share = (part: number, whole: number): FeedbackInit => {
      if (whole > 0) return { value: part / whole, rationale, metadata }
      return { value: made.length === wanted.length ? 1 : null, rationale, metadata }
    }
    const complete = matched === wanted.length
    switch (mode) {
      case 'exact': {
        const inPlace = made.length === wanted.length && made.every((call, i) => fits(call, wanted[i] as Call))
        const reordered = complete && made.length === matched && !inPlace
        return { ...verdict(inPlace, reordered ? `${rationale}; in another order` : rationale), metadata }
      }
      case 'any-order':
        return { ...verdict(complete && made.length === matched, rationale), metadata }
      case 'superset':
        return { ...verdict(complete, rationale), metadata }
      case 'in-order':
        return share(commonSubsequence(made, wanted, fits), wanted.length)
      case 'precision':
        return share(matched, made.length)
      case 'recall':
        return share(matched, wanted.length)
      case 'f1':
        return share(2 * matched, made.length + wanted.length)
    }
  })
}

interface Call {
  readonly name: string
  readonly arguments?: unknown
}

function madeCalls(trace: ScorerArgs['trace'] | undefined): Call[] {
  if (!trace) throw new Unscored('TRACE_MISSING', 'there is no trace to read tool calls from')
  const spans = trace.searchSpans({ type: 'TOOL' })
  spans.sort((a, b) => (a.startTimeNs < b.startTimeNs ? -1 : a.startTimeNs > b.startTimeNs ? 1 : 0))
  return spans.map(({ name, inputs }) => ({ name, arguments: inputs }))
}

function expectedCalls(value: unknown, expectation: string): readonly Call[] {
  const wanted = `expectation ${quote(expectation)} must be a list of { name, arguments? }`
  if (!Array.isArray(value)) throw new Unscored('EXPECTATION_INVALID', `${wanted}, found ${quote(value)}`)
  value.forEach((item, i) => {
    if (typeof item?.name === 'string' && item.name !== '') return
    throw new Unscored('EXPECTATION_INVALID', `${wanted}, found ${quote(item)} as call ${i + 1}`)
  })
  return value
}

const SHOWN = 5

function difference(made: readonly Call[], wanted: readonly Call[], partners: readonly number[]): string {
  const paired = new Set(partners)
  const missing = wanted.filter((_, i) => partners[i] === -1)
  const extra = made.filter((_, j) => !paired.has(j))
  const summary = `${wanted.length - missing.length} of ${wanted.length} expected calls made`
  return `${summary}${listed('missing', missing)}${listed('not expected', extra)}`
}

function listed(label: string, calls: readonly Call[]): string {
  if (calls.length === 0) return ''
  const more = calls.length > SHOWN ? `, and ${calls.length - SHOWN} more` : ''
  return `; ${label}: ${calls.slice(0, SHOWN).map(callText).join(', ')}${more}`
}

function callText({ name, arguments: given }: Call): string {
  if (given === undefined) return clip(name, 80)
  try {
    return clip(`${name}(${canonical(given)})`, 80)
  } catch (thrown) {
    return clip(`${name}(${messageOf(thrown)})`, 80)
  }
}
