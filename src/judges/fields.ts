import { didYouMean, quote } from '../errors.ts'
import type { JudgeArgs, UnjudgedCode } from '../judge.ts'
import type { Trace } from '../trace.ts'
import type { Field } from './block.ts'

/** What a row offers a judge, and saying clearly what it lacks. */

/** Leaves a row without a verdict before anything is paid; becomes an error Feedback with its code. */
export class Unjudged extends Error {
  override readonly name = 'Unjudged'
  readonly code: UnjudgedCode
  constructor(code: UnjudgedCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Gives the parts of a row, those that were not given out of the trace. */
export function filled(args: JudgeArgs): JudgeArgs {
  const { trace } = args
  const root = trace?.root
  return {
    inputs: args.inputs ?? root?.inputs ?? trace?.inputs,
    outputs: args.outputs ?? root?.outputs ?? trace?.outputs,
    expectations: { ...trace?.expectations, ...args.expectations },
    ...(trace && { trace }),
    ...(args.session && { session: args.session }),
    ...(args.signal && { signal: args.signal }),
  }
}

/** Gives what a judge of sessions sees. */
export function conversationOnly({ session, expectations }: JudgeArgs): JudgeArgs {
  return { ...(session && { session }), ...(expectations && { expectations }) }
}

/** @throws Unjudged where there are none */
export function inputsField({ inputs }: JudgeArgs): Field {
  if (inputs === undefined || inputs === null) throw new Unjudged('INPUTS_MISSING', 'the row has no inputs to judge by')
  return { name: 'inputs', value: inputs }
}

/** @throws Unjudged where there are none */
export function outputsField({ outputs }: JudgeArgs): Field {
  if (outputs === undefined || outputs === null)
    throw new Unjudged('OUTPUTS_MISSING', 'the row has no outputs to judge')
  return { name: 'outputs', value: outputs }
}

/** Gives a named expectation, or undefined where the row has none; `null` counts as none. */
export function expected({ expectations }: JudgeArgs, name: string): unknown {
  return expectations && Object.hasOwn(expectations, name) ? (expectations[name] ?? undefined) : undefined
}

/** Gives a named expectation as a field. @throws Unjudged where the row has none of that name */
export function expectedField(args: JudgeArgs, name: string): Field {
  const value = expected(args, name)
  if (value === undefined) throw expectationMissing(args, [name])
  return { name, value }
}

/** Gives all expectations as a field. @throws Unjudged where the row has none */
export function expectationsField({ expectations }: JudgeArgs): Field {
  const there = Object.entries(expectations ?? {}).filter(([, value]) => (value ?? undefined) !== undefined)
  if (there.length === 0) throw new Unjudged('EXPECTATION_MISSING', 'the row has no expectations to judge by')
  return { name: 'expectations', value: Object.fromEntries(there) }
}

/** Gives the one of two expectations that the row has. @throws Unjudged where it has both, or neither */
export function truthField(args: JudgeArgs): Field {
  const names = ['expected_response', 'expected_facts']
  const [first, second] = names.filter((name) => expected(args, name) !== undefined)
  if (first === undefined) throw expectationMissing(args, names)
  if (second !== undefined)
    throw new Unjudged('EXPECTATION_INVALID', 'the row has "expected_response" and "expected_facts"; give one of them')
  return first === 'expected_facts' ? factsField(expected(args, first)) : expectedField(args, first)
}

function factsField(value: unknown): Field {
  const facts = Array.isArray(value) ? value : [value]
  if (facts.length === 0) throw new Unjudged('EXPECTATION_MISSING', '"expected_facts" is an empty list')
  return { name: 'expected_facts', value: numbered(facts, '"expected_facts"') }
}

/** Gives texts as a numbered list. @throws Unjudged for what is no text */
export function numbered(texts: readonly unknown[], what: string): string {
  const odd = texts.find((text) => typeof text !== 'string' || text.trim() === '')
  if (odd !== undefined)
    throw new Unjudged('EXPECTATION_INVALID', `${what} must be text or a list of texts, found ${quote(odd)}`)
  return texts.map((text, i) => `${i + 1}. ${text}`).join('\n')
}

function expectationMissing({ expectations }: JudgeArgs, names: readonly string[]): Unjudged {
  const there = Object.entries(expectations ?? {}).flatMap(([name, value]) =>
    (value ?? undefined) === undefined ? [] : [name],
  )
  const found =
    there.length > 0
      ? `it has ${there.map(quote).join(', ')}${didYouMean(names[0] ?? '', there)}`
      : 'it has none at all'
  return new Unjudged('EXPECTATION_MISSING', `the row has no expectation ${names.map(quote).join(' or ')}; ${found}`)
}

/** @throws Unjudged where there is none */
export function traceOf({ trace }: JudgeArgs): Trace {
  if (!trace) throw new Unjudged('TRACE_MISSING', 'there is no trace to judge')
  return trace
}

/** Gives the traces of a session in the order of time. @throws Unjudged where there are none */
export function sessionOf({ session }: JudgeArgs): readonly Trace[] {
  if (!session || session.length === 0)
    throw new Unjudged('SESSION_MISSING', 'there is no session to judge: expected a list of traces')
  return [...session].sort((a, b) => a.requestTimeMs - b.requestTimeMs)
}
