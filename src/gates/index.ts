import { didYouMean, quote } from '../errors.ts'
import type { GateSpec } from '../finding.ts'
import { type Budget, GATE_OPTIONS, type Gate, type GateOptions, type Gates, type MetricGates } from '../gate.ts'
import { budget, post } from './budget.ts'
import { bound, ceiling, floor } from './floor.ts'
import { against, improve, margin } from './margin.ts'
import { each, must } from './must.ts'

/** The kinds of gates. */

export type { BaselineNote, Finding, FindingReason, FindingRow, GateSpec, Method, Verdict } from '../finding.ts'
export type { Budget, Evidence, Gate, GateOptions, Gates, MetricGates } from '../gate.ts'
export { budget } from './budget.ts'
export { ceiling, floor } from './floor.ts'
export { improve, margin } from './margin.ts'
export { must } from './must.ts'

const RULES = ['floor', 'ceiling', 'margin', 'improve', 'must'] as const
const KNOWN = [...RULES, 'early', ...GATE_OPTIONS]

/**
 * Makes gates of what a user wrote, checked.
 * @param shared what gates that say nothing else take over
 * @throws TypeError, RangeError that name the metric and what was wanted
 */
export function toGates(gates: Gates, shared: Pick<GateOptions, 'inconclusive'> = {}): Gate[] {
  if (isList(gates)) return gates.flat().map((gate) => shareWith(requireGate(gate), shared))
  if (typeof gates !== 'object' || gates === null) {
    throw new TypeError(`Cannot gate: "gates" must be an object of metrics or a list of gates, found ${quote(gates)}`)
  }
  return Object.entries(gates).flatMap(([metric, rules]) =>
    (metric === 'budget' ? budget(rules as Budget) : rulesOf(metric, rules as MetricGates)).map((gate) =>
      shareWith(gate, shared),
    ),
  )
}

/** Makes the gate that its data describes. @throws TypeError for a kind that there is not */
export function toGate(spec: GateSpec): Gate {
  switch (spec.kind) {
    case 'floor':
    case 'ceiling':
      return bound(spec)
    case 'margin':
    case 'improve':
      return against(spec)
    case 'must':
      return each(spec)
    case 'budget':
      return post(spec)
    default:
      throw new TypeError(`Cannot gate: there is no gate of kind ${quote((spec as { kind?: unknown }).kind)}`)
  }
}

function isList(gates: Gates): gates is readonly Gate[] {
  return Array.isArray(gates)
}

function requireGate(gate: Gate): Gate {
  if (typeof gate?.check === 'function' && gate.spec) return gate
  throw new TypeError(`Cannot gate: expected a gate such as floor('correct', 0.9), found ${quote(gate)}`)
}

/** A gate's own word goes before what all share. */
function shareWith(gate: Gate, shared: Pick<GateOptions, 'inconclusive'>): Gate {
  return gate.spec.inconclusive || !shared.inconclusive ? gate : toGate({ ...gate.spec, ...shared })
}

function rulesOf(metric: string, rules: MetricGates): Gate[] {
  if (typeof rules !== 'object' || rules === null || Array.isArray(rules)) {
    throw new TypeError(`Cannot gate ${quote(metric)}: expected rules such as { floor: 0.9 }, found ${quote(rules)}`)
  }
  for (const key of Object.keys(rules)) {
    if (!KNOWN.includes(key))
      throw new TypeError(`Cannot gate ${quote(metric)}: unknown rule "${key}"${didYouMean(key, KNOWN)}`)
  }
  const { floor: least, ceiling: most, margin: slack, improve: by, must: where, early, ...options } = rules
  const { better: _, ...plain } = options
  const made: Gate[] = []
  if (least !== undefined) made.push(floor(metric, least, { ...plain, ...(early !== undefined && { early }) }))
  if (most !== undefined) made.push(ceiling(metric, most, plain))
  if (slack !== undefined) made.push(margin(metric, slack, options))
  if (by !== undefined) made.push(improve(metric, by === true ? 0 : by, options))
  if (where !== undefined) {
    const { inconclusive } = options
    made.push(must(metric, where === true ? undefined : where, inconclusive ? { inconclusive } : {}))
  }
  if (early !== undefined && least === undefined)
    throw new TypeError(`Cannot gate ${quote(metric)}: "early" needs a floor`)
  if (made.length === 0) {
    throw new TypeError(`Cannot gate ${quote(metric)}: it has no rule; expected one of ${RULES.map(quote).join(', ')}`)
  }
  return made
}
