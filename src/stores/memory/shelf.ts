import { type AssessmentWrite, assessmentId, overriddenFirst, parseAssessmentId } from '../../assessment.ts'
import type { Assessment } from '../../feedback.ts'
import type { ArrivalQuery, Arrivals, StandingTrace, TraceChange } from '../../queue.ts'
import { nowMs } from '../../std/async.ts'
import { encode } from '../../std/json.ts'
import type { TraceWrite } from '../../store.ts'

/** A trace that no evaluation made, and when it came. */
interface Arrived {
  arrived: number
  changed: number
  at: number
}

/** A trace with everything that is said of it. */
export class Kept {
  trace: TraceWrite
  /** Its number among all traces. */
  readonly seq: number
  readonly assessments: Assessment[] = []
  readonly runIds: string[] = []
  /** Whether it was recorded by an evaluation. */
  isEvaluated = false
  arrival: Arrived | undefined

  constructor(trace: TraceWrite, seq: number) {
    this.trace = trace
    this.seq = seq
  }

  add(write: AssessmentWrite): Assessment {
    const last = this.assessments.at(-1)
    const ordinal = last ? (parseAssessmentId(last.id)?.ordinal ?? 0) + 1 : 0
    const { id: traceId } = this.trace
    const { updatedAt = write.createdAt, valid = true } = write
    const added = { ...write, id: assessmentId(traceId, ordinal), traceId, updatedAt, valid }
    this.assessments.push(added)
    return added
  }

  put(assessment: Assessment): void {
    this.assessments[this.assessments.findIndex(({ id }) => id === assessment.id)] = assessment
  }
}

/** Metadata and tags that say that a trace is an evaluation's or a scorer's, by this package or by MLflow. */
function isLabelledOwn({ metadata, tags }: TraceWrite): boolean {
  const named = ['mlflow.sourceRun', 'vitest-evaluate.rowId', 'mlflow.trace.sourceScorer']
  return named.some((name) => Object.hasOwn(metadata, name)) || Object.hasOwn(tags, 'mlflow.trace.sourceScorer')
}

/** Traces with their assessments, and the order in which they came and changed. */
export class Shelf {
  readonly #traces = new Map<string, Kept>()
  /** The newest place. */
  head = 0

  get(id: string): Kept | undefined {
    return this.#traces.get(id)
  }

  all(): Iterable<Kept> {
    return this.#traces.values()
  }

  /** Keeps a trace, unless it is there already, and what is said of it; expectations that it has are not kept twice. */
  keep(trace: TraceWrite, assessments: readonly AssessmentWrite[]): Kept {
    const kept = this.#traces.get(trace.id) ?? new Kept(trace, this.#traces.size)
    this.#traces.set(trace.id, kept)
    const there = kept.assessments.filter(({ kind }) => kind === 'expectation')
    const added = new Map<string | undefined, string>()
    for (const { overrides, ...assessment } of overriddenFirst(assessments)) {
      const { kind, name, value, valid = true } = assessment
      const same = there.find((one) => one.name === name && one.valid === valid && encode(one.value) === encode(value))
      const replaced = overrides === undefined ? undefined : added.get(overrides)
      const one =
        kind === 'feedback' || !same
          ? kept.add(replaced === undefined ? assessment : { ...assessment, overrides: replaced })
          : same
      if (assessment.id !== undefined) added.set(assessment.id, one.id)
    }
    this.touch(kept)
    return kept
  }

  find(assessmentId: string): [Kept, Assessment] | undefined {
    const kept = this.#traces.get(parseAssessmentId(assessmentId)?.traceId ?? '')
    const found = kept?.assessments.find(({ id }) => id === assessmentId)
    return kept && found && [kept, found]
  }

  /** Notes that a trace has come, or come further. */
  arrive(kept: Kept): void {
    this.head++
    kept.arrival = { arrived: this.head, changed: this.head, at: nowMs() }
  }

  /** Notes that something about a trace has changed, if it is one that has arrived. */
  touch({ arrival }: Kept): void {
    if (arrival) arrival.changed = ++this.head
  }

  standing(traceIds: readonly string[]): StandingTrace[] {
    return [...new Set(traceIds)].flatMap((id) => {
      const kept = this.#traces.get(id)
      return kept ? [{ trace: kept.trace, ...(kept.arrival && { position: kept.arrival.arrived }) }] : []
    })
  }

  put(changes: readonly TraceChange[]): string[] {
    const refused: string[] = []
    for (const { trace, was } of changes) {
      const kept = this.#traces.get(trace.id)
      if (kept ? !kept.arrival || kept.arrival.arrived !== was : was !== undefined) {
        refused.push(trace.id)
        continue
      }
      const now = kept ?? this.keep(trace, [])
      now.trace = trace
      this.arrive(now)
    }
    return refused
  }

  arrivals({ experiment, after = 0, through, fromMs, toMs, by = 'arrival', limit }: ArrivalQuery): Arrivals {
    const { head } = this
    const last = Math.min(head, through ?? head)
    const found = [...this.#traces.values()].flatMap(({ trace, arrival, isEvaluated, assessments }) => {
      if (!arrival || trace.experiment !== experiment) return []
      const { requestTimeMs, sessionId, status, id: traceId } = trace
      const position = by === 'arrival' ? arrival.arrived : arrival.changed
      if (position <= after || position > last) return []
      if (requestTimeMs < (fromMs ?? requestTimeMs) || requestTimeMs >= (toMs ?? Number.POSITIVE_INFINITY)) return []
      const session = sessionId === undefined ? {} : { sessionId }
      const isOwn = isEvaluated || isLabelledOwn(trace)
      const judged = assessments.length > 0 ? { isJudged: true as const } : {}
      return [{ position, traceId, status, ...session, requestTimeMs, at: arrival.at, isOwn, ...judged }]
    })
    const items = found.sort((a, b) => a.position - b.position).slice(0, limit)
    return { items, reached: items.length < limit ? Math.max(last, after) : (items.at(-1)?.position ?? last), head }
  }

  /**
   * Writes what a registered scorer says of a trace now, in the place of what it has said there before. Where a person has corrected that, the correction stays in
   * force.
   */
  replaceScorer(kept: Kept, scorer: string, writes: readonly AssessmentWrite[]): void {
    const said = kept.assessments.filter(
      (one) => one.kind === 'feedback' && one.runId === undefined && one.scorer === scorer && one.valid,
    )
    // A scorer may say one thing of several spans.
    const before = Map.groupBy(said, placeText)
    for (const { overrides: _, ...write } of writes) {
      const old = before.get(placeText(write))?.shift()
      if (!old) kept.add(write)
      else if (old.source.type === 'HUMAN') kept.add({ ...write, valid: false })
      else {
        kept.put({ ...old, valid: false })
        kept.add({ ...write, overrides: old.id })
      }
    }
    for (const old of [...before.values()].flat()) {
      if (old.source.type !== 'HUMAN') kept.put({ ...old, valid: false })
    }
    this.touch(kept)
  }
}

function placeText({ name, spanId = '' }: Pick<AssessmentWrite, 'name' | 'spanId'>): string {
  return JSON.stringify([name, spanId])
}
