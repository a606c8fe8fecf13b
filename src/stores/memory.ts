import { type AssessmentChange, type AssessmentWrite, deletionOf, replacedBy } from '../assessment.ts'
import { EvaluationError } from '../errors.ts'
import type { Assessment } from '../feedback.ts'
import { matches } from '../filter.ts'
import { compareKeys } from '../order.ts'
import { type RunRecord, replacing } from '../run.ts'
import {
  inScope,
  type RunQuery,
  type Store,
  type StoredTrace,
  type StoredTrial,
  type TraceQuery,
  type TraceRecord,
  type TrialPlace,
  type TrialWrite,
} from '../store.ts'
import { filterSubject, orderOf, sortKey } from '../subject.ts'
import type { Kept } from './memory/shelf.ts'
import { Watched } from './memory/watched.ts'

interface KeptTrial {
  readonly trial: StoredTrial
  readonly kept: Kept
}

/** Makes a store that lives as long as the process: for tests, and for runs opened from a file. */
export function memory(): Store {
  return new MemoryStore()
}

/** Of a trace that a list holds twice, the first counts. */
function isFirst(traces: readonly TraceRecord[], index: number): boolean {
  return traces.findIndex(({ trace }) => trace.id === traces[index]?.trace.id) === index
}

class MemoryStore extends Watched implements Store {
  readonly location = 'memory'
  readonly #runs = new Map<string, RunRecord>()
  readonly #trials = new Map<string, KeptTrial[]>()

  async createRun(run: RunRecord): Promise<void> {
    this.#runs.set(run.id, run)
  }

  async updateRun(run: RunRecord, was?: RunRecord): Promise<boolean> {
    const stored = this.#runs.get(run.id)
    if (!stored) throw new EvaluationError('RUN_NOT_FOUND', `Cannot update run "${run.id}": it does not exist`)
    if (was && JSON.stringify(was) !== JSON.stringify(stored)) return false
    this.#runs.set(run.id, was ? run : replacing(stored, run))
    return true
  }

  async getRun(id: string): Promise<RunRecord | undefined> {
    return this.#runs.get(id)
  }

  async listRuns({ experiment, name, limit = Number.POSITIVE_INFINITY }: RunQuery = {}): Promise<RunRecord[]> {
    return [...this.#runs.values()]
      .reverse()
      .filter((run) => (experiment ?? run.experiment) === run.experiment && (name ?? run.name) === run.name)
      .slice(0, limit)
  }

  writeTrial(runId: string, { trace, assessments, ...rest }: TrialWrite): undefined {
    const kept = this.shelf.keep(trace, assessments)
    kept.runIds.push(runId)
    if (rest.attempts > 0) kept.isEvaluated = true
    const trials = this.#trials.get(runId) ?? []
    trials.push({ trial: { ...rest, runId }, kept })
    this.#trials.set(runId, trials)
    return undefined
  }

  async writeTraces(traces: readonly TraceRecord[]): Promise<number> {
    const fresh = traces.filter(({ trace }, i) => !this.shelf.get(trace.id) && isFirst(traces, i))
    for (const { trace, assessments } of fresh) this.shelf.arrive(this.shelf.keep(trace, assessments))
    return fresh.length
  }

  async flush(): Promise<void> {}

  async *search({
    limit = Number.POSITIVE_INFINITY,
    includeSpans = true,
    ...query
  }: TraceQuery): AsyncIterable<StoredTrace> {
    let left = limit
    for (const found of this.#found(query)) {
      if (left-- <= 0) return
      yield includeSpans ? found : { ...found, trace: { ...found.trace, spans: '' } }
    }
  }

  async count(query: TraceQuery): Promise<number> {
    let count = 0
    for await (const _ of this.search(query)) count++
    return count
  }

  async trials(runId: string): Promise<TrialPlace[]> {
    return this.#inOrder(runId).map(({ trial: { index, repeat, rowId, status } }) => ({ index, repeat, rowId, status }))
  }

  async logAssessment(traceId: string, write: AssessmentWrite): Promise<Assessment> {
    const kept = this.shelf.get(traceId)
    if (!kept) throw new EvaluationError('TRACE_NOT_FOUND', `Cannot log an assessment: there is no trace "${traceId}"`)
    const { overrides: _, ...plain } = write
    const replaced = replacedBy(write, kept.assessments)
    if (!replaced && write.overrides !== undefined) {
      const message = `Cannot override assessment "${write.overrides}": it does not exist on trace "${traceId}"`
      throw new EvaluationError('ASSESSMENT_NOT_FOUND', message)
    }
    const { runId, scorer, spanId } = replaced ?? {}
    const taken = {
      ...(runId !== undefined && { runId }),
      ...(scorer !== undefined && { scorer }),
      ...(spanId !== undefined && { spanId }),
    }
    const whole = replaced ? { ...taken, ...plain, overrides: replaced.id } : plain
    this.#requireRun(whole.runId)
    if (replaced) kept.put({ ...replaced, valid: false })
    const added = kept.add(whole)
    this.shelf.touch(kept)
    if (replaced || write.scorer === undefined) this.#changed(added)
    return added
  }

  async updateAssessment(id: string, { metadata, ...change }: AssessmentChange): Promise<Assessment | undefined> {
    const place = this.shelf.find(id)
    if (!place) return undefined
    const [kept, { error, ...rest }] = place
    const updated = {
      ...rest,
      ...(error && change.value === undefined && { error }),
      ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)),
      ...(metadata && { metadata: { ...rest.metadata, ...metadata } }),
    }
    kept.put(updated)
    this.shelf.touch(kept)
    this.#changed(updated)
    return updated
  }

  async deleteAssessment(id: string): Promise<boolean> {
    const place = this.shelf.find(id)
    if (!place) return false
    const [kept, deleted] = place
    const { followers, restored } = deletionOf(deleted, kept.assessments)
    kept.assessments.splice(kept.assessments.indexOf(deleted), 1)
    this.shelf.touch(kept)
    for (const { overrides: _, ...rest } of followers) {
      kept.put(deleted.overrides === undefined ? rest : { ...rest, overrides: deleted.overrides })
    }
    if (restored) kept.put({ ...restored, valid: true })
    this.#changed(deleted)
    return true
  }

  async close(): Promise<void> {}

  #requireRun(id: string | undefined): void {
    if (id === undefined || this.#runs.has(id)) return
    throw new EvaluationError('RUN_NOT_FOUND', `Cannot write to run "${id}": it does not exist`)
  }

  #changed({ kind, runId }: Assessment): void {
    const run = kind === 'feedback' && runId !== undefined ? this.#runs.get(runId) : undefined
    if (run) this.#runs.set(run.id, { ...run, uncounted: (run.uncounted ?? 0) + 1 })
  }

  #found(query: TraceQuery): Iterable<StoredTrace> {
    const { after } = query
    const terms = orderOf(query)
    const keyed = Array.from(this.#matching(query), (stored) => ({ stored, key: sortKey(stored, query) }))
    return keyed
      .filter(({ key }) => !after || compareKeys(key, after, terms) > 0)
      .sort((a, b) => compareKeys(a.key, b.key, terms))
      .map(({ stored }) => stored)
  }

  *#matching({
    runId,
    experiment,
    traceId,
    traceIds,
    sessionId,
    rowId,
    fromIndex = 0,
    filter,
  }: TraceQuery): Iterable<StoredTrace> {
    const all = runId === undefined ? this.#all() : this.#inOrder(runId)
    for (const { kept, trial } of all) {
      if (experiment !== undefined && kept.trace.experiment !== experiment) continue
      if (traceId !== undefined && kept.trace.id !== traceId) continue
      if (traceIds && !traceIds.includes(kept.trace.id)) continue
      if (sessionId !== undefined && kept.trace.sessionId !== sessionId) continue
      if (rowId !== undefined && trial?.rowId !== rowId) continue
      if (trial && trial.index < fromIndex) continue
      const assessments = kept.assessments.filter((assessment) => inScope(assessment, runId))
      const stored: StoredTrace = { trace: kept.trace, assessments, ...(trial && { trial }) }
      if (!filter || matches(filter, filterSubject(stored, kept.runIds))) yield stored
    }
  }

  #all(): Iterable<{ kept: Kept; trial?: StoredTrial }> {
    return Array.from(this.shelf.all(), (kept) => ({ kept }))
  }

  #inOrder(runId: string): KeptTrial[] {
    return [...(this.#trials.get(runId) ?? [])].sort(
      (a, b) => a.trial.index - b.trial.index || a.trial.repeat - b.trial.repeat,
    )
  }
}
