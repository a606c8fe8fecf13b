import { EvaluationError } from '../errors.ts'
import type { Assessment } from '../feedback.ts'
import { matches } from '../filter.ts'
import { compareKeys } from '../order.ts'
import type { RunRecord } from '../run.ts'
import { encode } from '../std/json.ts'
import {
  type AssessmentWrite,
  assessmentId,
  inScope,
  parseAssessmentId,
  type RunQuery,
  type Store,
  type StoredTrace,
  type StoredTrial,
  type TraceQuery,
  type TraceRecord,
  type TraceWrite,
  type TrialPlace,
  type TrialWrite,
} from '../store.ts'
import { filterSubject, orderOf, sortKey } from '../subject.ts'

interface Kept {
  readonly trace: TraceWrite
  readonly assessments: Assessment[]
  readonly runIds: string[]
}

interface KeptTrial {
  readonly trial: StoredTrial
  readonly kept: Kept
}

/** Makes a store that lives as long as the process: for tests, and for runs opened from a file. */
export function memory(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly location = 'memory'
  readonly #runs = new Map<string, RunRecord>()
  readonly #traces = new Map<string, Kept>()
  readonly #trials = new Map<string, KeptTrial[]>()

  async createRun(run: RunRecord): Promise<void> {
    this.#runs.set(run.id, run)
  }

  async updateRun(run: RunRecord): Promise<void> {
    if (!this.#runs.has(run.id))
      throw new EvaluationError('RUN_NOT_FOUND', `Cannot update run "${run.id}": it does not exist`)
    this.#runs.set(run.id, run)
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
    const kept = this.#keep(trace, assessments)
    kept.runIds.push(runId)
    const trials = this.#trials.get(runId) ?? []
    trials.push({ trial: { ...rest, runId }, kept })
    this.#trials.set(runId, trials)
    return undefined
  }

  async writeTraces(traces: readonly TraceRecord[]): Promise<number> {
    const before = this.#traces.size
    for (const { trace, assessments } of traces) if (!this.#traces.has(trace.id)) this.#keep(trace, assessments)
    return this.#traces.size - before
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

  async logAssessment(traceId: string, assessment: AssessmentWrite): Promise<Assessment> {
    const kept = this.#traces.get(traceId)
    if (!kept)
      throw new EvaluationError('TRACE_NOT_FOUND', `Cannot log "${assessment.name}": there is no trace "${traceId}"`)
    if (assessment.overrides !== undefined) this.#setValid(assessment.overrides, false)
    return this.#add(kept, assessment)
  }

  async deleteAssessment(id: string): Promise<boolean> {
    const place = this.#place(id)
    if (!place) return false
    const [kept, at] = place
    const { overrides } = kept.assessments[at] as Assessment
    kept.assessments.splice(at, 1)
    if (overrides !== undefined) this.#setValid(overrides, true)
    return true
  }

  async close(): Promise<void> {}

  #keep(trace: TraceWrite, assessments: readonly AssessmentWrite[]): Kept {
    const kept = this.#traces.get(trace.id) ?? { trace, assessments: [], runIds: [] }
    this.#traces.set(trace.id, kept)
    const there = kept.assessments.filter(({ kind, valid }) => kind === 'expectation' && valid)
    for (const assessment of assessments) {
      const { kind, name, value } = assessment
      const isThere = there.some((one) => one.name === name && encode(one.value) === encode(value))
      if (kind === 'feedback' || !isThere) this.#add(kept, assessment)
    }
    return kept
  }

  #add(kept: Kept, write: AssessmentWrite): Assessment {
    const last = kept.assessments.at(-1)
    const ordinal = last ? (parseAssessmentId(last.id)?.ordinal ?? 0) + 1 : 0
    const { id: traceId } = kept.trace
    const added = { updatedAt: write.createdAt, valid: true, ...write, id: assessmentId(traceId, ordinal), traceId }
    kept.assessments.push(added)
    return added
  }

  #place(id: string): [Kept, number] | undefined {
    const kept = this.#traces.get(parseAssessmentId(id)?.traceId ?? '')
    const at = kept?.assessments.findIndex((assessment) => assessment.id === id) ?? -1
    return kept && at >= 0 ? [kept, at] : undefined
  }

  #setValid(id: string, valid: boolean): void {
    const place = this.#place(id)
    if (!place) throw new EvaluationError('TRACE_NOT_FOUND', `Cannot override assessment "${id}": it does not exist`)
    const [kept, at] = place
    kept.assessments[at] = { ...(kept.assessments[at] as Assessment), valid }
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

  *#matching({ runId, experiment, traceId, rowId, fromIndex = 0, filter }: TraceQuery): Iterable<StoredTrace> {
    const all = runId === undefined ? this.#all() : this.#inOrder(runId)
    for (const { kept, trial } of all) {
      if (experiment !== undefined && kept.trace.experiment !== experiment) continue
      if (traceId !== undefined && kept.trace.id !== traceId) continue
      if (rowId !== undefined && trial?.rowId !== rowId) continue
      if (trial && trial.index < fromIndex) continue
      const assessments = kept.assessments.filter((assessment) => inScope(assessment, runId))
      const stored: StoredTrace = { trace: kept.trace, assessments, ...(trial && { trial }) }
      if (!filter || matches(filter, filterSubject(stored, kept.runIds))) yield stored
    }
  }

  #all(): Iterable<{ kept: Kept; trial?: StoredTrial }> {
    return Array.from(this.#traces.values(), (kept) => ({ kept }))
  }

  #inOrder(runId: string): KeptTrial[] {
    return [...(this.#trials.get(runId) ?? [])].sort(
      (a, b) => a.trial.index - b.trial.index || a.trial.repeat - b.trial.repeat,
    )
  }
}
