import { EvaluationError, quote } from './errors.ts'
import type { RunRecord } from './run.ts'
import type { Store, StoredTrace } from './store.ts'

/**
 * Copies a run with its rows from one store to another; one that is there already, whole, stays as it is.
 * @throws EvaluationError RUN_NOT_FOUND
 */
export async function copyRun(runId: string, from: Store, to: Store): Promise<void> {
  const record = await from.getRun(runId)
  if (!record)
    throw new EvaluationError('RUN_NOT_FOUND', `Cannot copy run ${quote(runId)}: ${from.location} does not hold it`)
  await keepRun(record, from.search({ runId }), to)
}

/**
 * Writes a run that comes from elsewhere into a store, row by row; rows that are there already are not written twice. Ground truth that a
 * row owes to another run, which the store does not have, comes along without naming it.
 */
export async function keepRun(record: RunRecord, trials: AsyncIterable<StoredTrace>, to: Store): Promise<void> {
  const there = await to.getRun(record.id)
  if (there && there.status !== 'running') return
  if (!there) await to.createRun({ ...record, status: 'running' })
  const kept = new Set((await to.trials(record.id)).map(({ index, repeat }) => `${index}/${repeat}`))
  const known = new Map([[record.id, true]])
  for await (const { trial, trace, assessments } of trials) {
    if (!trial || kept.has(`${trial.index}/${trial.repeat}`)) continue
    for (const { runId } of assessments) {
      if (runId !== undefined && !known.has(runId)) known.set(runId, (await to.getRun(runId)) !== undefined)
    }
    const own = assessments.map(({ runId, ...one }) =>
      runId !== undefined && known.get(runId) ? { ...one, runId } : one,
    )
    const room = to.writeTrial(record.id, { ...trial, trace, assessments: own })
    if (room) await room
  }
  await to.flush(record.id)
  await to.updateRun(record)
}
