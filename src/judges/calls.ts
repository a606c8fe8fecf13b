import type { ToolCall as RecordedCall } from '../calls.ts'
import { quote } from '../errors.ts'
import { canonical, encode } from '../std/json.ts'
import type { Trace } from '../trace.ts'
import { byTime } from './documents.ts'
import { Unjudged } from './fields.ts'

/** Calls of tools: made ones, expected ones, and comparing them without a model. */

/** A call of a tool; arguments are whatever data it was called with. */
export type ToolCall = Pick<RecordedCall, 'name' | 'arguments'>

export interface MadeCall extends ToolCall {
  readonly result?: unknown
  readonly failed: boolean
}

/** Gives the calls of tools that a trace recorded, in the order of time. */
export function madeCalls(trace: Trace): MadeCall[] {
  const order = byTime(trace.spans)
  const place = new Map(order.map((span, i) => [span.id, i]))
  const placeOf = ({ spanId }: RecordedCall): number => place.get(spanId) ?? 0
  return trace
    .toolCalls()
    .sort((a, b) => placeOf(a) - placeOf(b))
    .map((call) => {
      const span = order[placeOf(call)]
      const { name, arguments: given, result } = call
      return { name, arguments: given, result, failed: span?.type === 'TOOL' && span.status === 'ERROR' }
    })
}

/** Gives calls as a judge reads them, numbered. */
export function callsText(calls: readonly (ToolCall & Partial<MadeCall>)[]): string {
  if (calls.length === 0) return '(no tool was called)'
  return calls
    .map(({ name, arguments: given, result, failed }, i) => {
      const lines = [`${i + 1}. ${name}(${given === undefined ? '' : encode(given)})`]
      if (result !== undefined) lines.push(`   result: ${encode(result)}`)
      if (failed) lines.push('   this call failed')
      return lines.join('\n')
    })
    .join('\n')
}

/** Gives the definitions of tools that the spans say were on offer, as text; undefined where they say nothing. */
export function availableTools(trace: Trace): string | undefined {
  const tools = new Map<string, unknown>()
  for (const { attributes } of trace.spans) {
    for (const key of ['mlflow.chat.tools', 'gen_ai.tool.definitions']) {
      for (const tool of listOf(attributes[key])) tools.set(canonical(tool), tool)
    }
  }
  return tools.size === 0 ? undefined : [...tools.values()].map((tool) => encode(tool)).join('\n')
}

function listOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'string') return Array.isArray(value) ? value : []
  try {
    return listOf(JSON.parse(value) as unknown[])
  } catch {
    return []
  }
}

/** Reads `expected_tool_calls`, MLflow's form `[{ name, arguments? }]`. @throws Unjudged for anything else */
export function expectedCalls(value: unknown, what = 'expectation "expected_tool_calls"'): readonly ToolCall[] {
  const wanted = `${what} must be a list of { name, arguments? }`
  if (!Array.isArray(value)) throw new Unjudged('EXPECTATION_INVALID', `${wanted}, found ${quote(value)}`)
  const odd = value.find((item) => typeof item?.name !== 'string' || item.name === '')
  if (odd !== undefined) throw new Unjudged('EXPECTATION_INVALID', `${wanted}, found ${quote(odd)}`)
  return value
}

/** Gives what keeps the made calls from being the expected ones, or undefined; arguments count where every expected call states its own. */
export function callsDifference(
  made: readonly ToolCall[],
  wanted: readonly ToolCall[],
  ordered: boolean,
): string | undefined {
  if (made.length !== wanted.length) return `expected ${wanted.length} calls, found ${made.length}`
  const withArguments = wanted.every((call) => call.arguments !== undefined)
  const key = (call: ToolCall): string =>
    withArguments ? `${call.name}(${canonical(call.arguments ?? {})})` : call.name
  const [found, sought] = [made.map(key), wanted.map(key)]
  if (ordered) {
    const i = sought.findIndex((call, at) => call !== found[at])
    return i < 0 ? undefined : `call ${i + 1}: expected ${sought[i]}, found ${found[i]}`
  }
  const left = [...found]
  for (const call of sought) {
    const at = left.indexOf(call)
    if (at < 0) return `expected ${call}, which was not called`
    left.splice(at, 1)
  }
  return undefined
}
