import { existsSync } from 'node:fs'
import { findingLines } from '../../reporters/findings.ts'
import { findBaseline } from '../baseline.ts'
import { decide } from '../decide.ts'
import { didYouMean, EvaluationError, quote } from '../errors.ts'
import { type BaselineNote, blocking, type Finding, overall } from '../finding.ts'
import type { Gate, MetricGates } from '../gate.ts'
import { toGate, toGates } from '../gates/index.ts'
import type { Run } from '../handle.ts'
import { openNewest, openRun } from '../open.ts'
import { jobOf } from '../std/ci.ts'
import { treeState } from '../std/git.ts'
import { visible } from '../std/text.ts'
import type { Store } from '../store.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface GateCommandOptions extends Shared {
  readonly baseline?: string | false
  readonly target?: string
  /** Gates written as `correct:floor=0.9`. */
  readonly gate?: readonly string[]
  readonly inconclusive?: 'warn' | 'fail'
}

/** What the gate command says to the shell. */
export const GATE_CODES = { pass: 0, failed: 1, inconclusive: 2, error: 3 } as const

/**
 * Asks gates about stored runs: those that the runs have kept, or those given here.
 * @returns 0 when all pass or only warn, 1 when one fails, 2 when one cannot tell and that counts as failure
 */
export async function gate(which: readonly string[], options: GateCommandOptions, output: Output): Promise<number> {
  const judged: { readonly run: Run; readonly findings: readonly Finding[]; readonly baseline?: BaselineNote }[] = []
  for (const run of await gated(which, options)) judged.push(await judge(run, options))
  const findings = judged.flatMap((one) => one.findings)
  if (options.json) {
    const runs = judged.map(({ run, ...rest }) => ({ run: run.id, name: run.name, ...rest }))
    printJson(output, { verdict: overall(findings), code: codeOf(findings), runs })
  } else {
    const older = which.length === 0 && (await olderCode(judged.map(({ run }) => run)))
    if (older) output.print(` ! ${older}`)
    for (const { run, findings, baseline } of judged) {
      const record = { ...run.record, findings, ...(baseline && { baseline }) }
      output.print([visible(run.name), ...findingLines(record, output.screen)].join('\n'))
    }
  }
  return codeOf(findings)
}

/** The runs that are named; without a name what was evaluated last, as far as it has gates. */
async function gated(which: readonly string[], options: GateCommandOptions): Promise<Run[]> {
  if (which.length > 0) return Promise.all(which.map((one) => openRun(one, storeOption(options))))
  const newest = await openNewest(storeOption(options))
  const having = options.gate?.length ? newest : newest.filter(({ record }) => record.gates?.length)
  return having.length > 0 ? having : newest.slice(-1)
}

/** Says when runs that nobody named are not of what is checked out: what was to be gated may never have been evaluated. */
async function olderCode(runs: readonly Run[]): Promise<string | undefined> {
  const head = (await treeState(process.cwd()))?.commit
  const other = runs.find(({ record }) => record.code?.commit !== undefined && record.code.commit !== head)
  if (head === undefined || !other) return undefined
  return `${other.id} is of commit ${other.record.code?.commit?.slice(0, 8)}, checked out is ${head.slice(0, 8)}`
}

/** Gives the exit code of findings. */
export function codeOf(findings: readonly Finding[]): number {
  const failed = blocking(findings)
  if (failed.some(({ verdict }) => verdict === 'fail')) return GATE_CODES.failed
  return failed.length > 0 ? GATE_CODES.inconclusive : GATE_CODES.pass
}

async function judge(run: Run, options: GateCommandOptions) {
  const { record, store } = run
  if (record.status !== 'finished') {
    throw new EvaluationError('RUN_FAILED', `Cannot gate ${run.id}: it is ${record.status}`, {
      hint: 'a run that was cut off says nothing of the rows it has not seen; resume it first',
    })
  }
  const gates = gatesOf(run, options)
  const compares = gates.some((one) => one.compares)
  const { other, baseline } = compares ? await opponent(run, options) : {}
  const without = baseline?.how === 'none' ? baseline.note : undefined
  const findings = await decide({ gates, run: { record, store }, baseline: other, without })
  return { run, findings, ...(baseline && { baseline }) }
}

function gatesOf({ record, id }: Run, { gate: given = [], inconclusive }: GateCommandOptions): Gate[] {
  const gates = given.length > 0 ? given.flatMap(parsed) : (record.gates ?? []).map(toGate)
  if (gates.length === 0) {
    throw new EvaluationError('CONFIG_INVALID', `Cannot gate ${id}: it has no gates`, {
      hint: "set some in evaluate's options, gates: { correct: { floor: 0.9 } }, or here: --gate correct:floor=0.9",
    })
  }
  return inconclusive ? gates.map(({ spec }) => toGate({ ...spec, inconclusive })) : gates
}

const RULES = ['floor', 'ceiling', 'margin', 'improve', 'must'] as const

/** Reads `correct:floor=0.9`, `safe:must`, `budget:errorRate=0.01`. */
function parsed(text: string): Gate[] {
  const [, metric = '', rule = '', value] = /^(.+):(\w+)(?:=(.*))?$/.exec(text) ?? []
  const fail = (problem: string): never => {
    throw new TypeError(`Cannot read the gate ${quote(text)}: ${problem}`)
  }
  const amount = (): number => {
    const number = value === undefined || value.trim() === '' ? Number.NaN : Number(value)
    return Number.isFinite(number) ? number : fail(`${quote(rule)} needs a number, found ${quote(value)}`)
  }
  if (metric === '') fail('expected <column>:<rule>=<value>, such as correct:floor=0.9')
  if (metric === 'budget') return toGates({ budget: { [rule]: amount() } })
  if (!(RULES as readonly string[]).includes(rule)) fail(`there is no rule ${quote(rule)}${didYouMean(rule, RULES)}`)
  const rules: MetricGates =
    rule === 'must' ? { must: value || true } : { [rule]: rule === 'improve' && !value ? true : amount() }
  return toGates({ [metric]: rules })
}

interface Opponent {
  readonly other?: Run
  readonly baseline?: BaselineNote
}

/** The baseline that was asked for, else the one that the run was held against, else the one that git names. */
async function opponent(run: Run, options: GateCommandOptions): Promise<Opponent> {
  const { baseline: which } = options
  const { record, store } = run
  const given = (other: Run, name: string): Opponent => ({
    other,
    baseline: { how: 'given', runId: other.id, note: `given as ${name}` },
  })
  if (which === false) return { baseline: { how: 'none', note: 'none is wanted' } }
  if (which !== undefined) return given(await openRun(which, storeOption(options)), which)
  const known = record.baseline
  if (known?.how === 'none') return { baseline: known }
  if (known?.runId !== undefined) return { other: await again(known, store), baseline: known }
  const job = jobOf(process.env)
  const found = await findBaseline(store, record, {
    folder: process.cwd(),
    target: options.target ?? job?.target,
    base: job?.base,
  })
  if (!found.run) return { baseline: found.note }
  return { other: await openRun(found.run.id, { store }), baseline: found.note }
}

/** Opens what a run was held against: its store has it, or its file. Another one would give another verdict. */
async function again({ runId = '', file }: BaselineNote, store: Store): Promise<Run> {
  if (await store.getRun(runId)) return openRun(runId, { store })
  const found = file !== undefined && existsSync(file) ? await openRun(file) : undefined
  if (found?.id === runId) return found
  throw new EvaluationError(
    'RUN_NOT_FOUND',
    `Cannot find the baseline ${runId}: neither the store nor its file has it`,
    {
      hint: 'name another one with --baseline',
    },
  )
}
