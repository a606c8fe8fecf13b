import { EvaluationError, messageOf } from './errors.ts'
import type { RunRecord } from './run.ts'
import { plural } from './std/text.ts'

/** How an evaluation that was cut off says so: with the run that holds everything before. */

/** Gives what a work throws, instead of throwing it. */
export async function faultOf(work: Promise<void>): Promise<{ readonly thrown: unknown } | undefined> {
  try {
    await work
    return undefined
  } catch (thrown) {
    return { thrown }
  }
}

/** Gives the first line of what a thrown value says. */
export function firstLine(thrown: unknown): string {
  return messageOf(thrown).split('\n')[0] as string
}

/** Says that the signal was aborted. */
export function interrupted(reason: unknown, name: string, run?: RunRecord): EvaluationError {
  const after = run ? `after ${plural(run.totals.rows, 'row')}` : 'before its first row'
  return new EvaluationError('RUN_INTERRUPTED', `Evaluation "${name}" was interrupted ${after}: ${firstLine(reason)}`, {
    cause: reason,
    ...(run && { runId: run.id, hint: kept(run) }),
  })
}

function kept(run: RunRecord): string {
  return `what was done before that, ${plural(run.totals.rows, 'row')}, is kept in ${run.id}`
}

/** Gives the fault that ended a run, with the run. */
export function withRun(fault: unknown, run: RunRecord): EvaluationError {
  const details = { cause: fault, runId: run.id, hint: kept(run) }
  if (fault instanceof EvaluationError) {
    const [message = ''] = fault.message.split('\nHint: ')
    return new EvaluationError(fault.code, message, {
      ...details,
      hint: [fault.hint, kept(run)].filter(Boolean).join('; '),
    })
  }
  return new EvaluationError(fault instanceof TypeError ? 'ROW_INVALID' : 'RUN_FAILED', messageOf(fault), details)
}

/** How a run is marked: failed by a fault, interrupted by a signal, or finished. */
export function ending(
  fault: { readonly thrown: unknown } | undefined,
  signal: AbortSignal | undefined,
): Pick<RunRecord, 'status' | 'reason'> {
  if (fault) return { status: 'failed', reason: firstLine(fault.thrown) }
  return signal ? { status: 'interrupted', reason: firstLine(signal.reason) } : { status: 'finished' }
}
