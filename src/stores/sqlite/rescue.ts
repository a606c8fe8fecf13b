import { isDeepStrictEqual } from 'node:util'
import { matches } from '../../filter.ts'
import { compareKeys, type SortKey } from '../../order.ts'
import type { RunRecord } from '../../run.ts'
import { plural } from '../../std/text.ts'
import type { StoredTrace, TraceQuery } from '../../store.ts'
import { filterSubject, orderOf, sortKey } from '../../subject.ts'
import type { Place } from './cursor.ts'
import { type Cell, Leaves, type Raw } from './leaves.ts'
import type { Page } from './reader.ts'
import { type Names, type Row, toStored } from './record.ts'
import { seal, sealText } from './seal.ts'

const TRACE =
  'seq id experiment name status request_ms request_sub_ns duration_ns session inputs outputs spans assessments seal spans_seal'
const TRIAL =
  'run position repeat seq row_id failed attempts error parent outputs_digest expectations_digest trial_seal'
const ASSESSMENT =
  'trace ordinal kind name type num text valid run scorer duration_ms created_at updated_at extra seal'.split(' ')
const LABEL = ['trace', 'kind', 'key', 'value']
const [TRACE_NAMES, TRIAL_NAMES] = [TRACE.split(' '), TRIAL.split(' ')]

/** What a search finds, or in words or by number what it cannot find any more. */
type Entry = { readonly seq: number; readonly trial?: Row; readonly key: SortKey } | number | string

/**
 * Reads what lies whole in a file that was cut off. Nothing is taken that does not fit its checksum, and nothing of which there are two
 * versions: which of them counted, the file does not say any more.
 */
export class Rescue {
  readonly #leaves: Leaves
  readonly #names = new Map<number, string | undefined>()
  readonly #runs = new Map<number, RunRecord | undefined>()
  readonly #traces = new Map<number, number[]>()
  readonly #labels = new Map<number, number[]>()
  readonly #assessments = new Map<number, number[]>()
  readonly #trials: Row[] = []
  #known: { query: string; entries: readonly Entry[] } | undefined

  /** Gives nothing where pages that are out of use, or out of date, could be taken for others. */
  static of(path: string): Rescue | undefined {
    return Leaves.isCurrent(path) ? new Rescue(new Leaves(path)) : undefined
  }

  private constructor(leaves: Leaves) {
    this.#leaves = leaves
    for (const raw of leaves.all()) this.#sort(raw)
  }

  close(): void {
    this.#leaves.close()
  }

  #sort({ place, rowid, values }: Raw): void {
    if (rowid !== undefined) {
      if (values[0] !== null) return
      const [, text] = values
      if (values.length === 3 && typeof text === 'string' && sealText(text) === values[2]) once(this.#names, rowid, text)
      if (values.length === 7) this.#addRun(rowid, values)
      if (values.length === TRACE_NAMES.length) add(this.#traces, rowid, place)
    } else if (values.length === TRIAL_NAMES.length) this.#trials.push(rowOf(TRIAL_NAMES, values))
    else if (values.length === ASSESSMENT.length) add(this.#assessments, values[0], place)
    // An index of labels has as many columns, and its text before the last.
    else if (values.length === LABEL.length && typeof values[3] === 'string') add(this.#labels, values[0], place)
  }

  #addRun(key: number, [, id, , , , record, sealed]: readonly Cell[]): void {
    if (typeof record !== 'string' || sealText(record) !== sealed) return
    const run = JSON.parse(record) as RunRecord
    if (run.id === id) once(this.#runs, key, run)
  }

  run(id: string): RunRecord | undefined {
    return this.runs().find((run) => run.id === id)
  }

  runs(): RunRecord[] {
    const runs = [...this.#runs].sort(([a], [b]) => b - a).flatMap(([, run]) => run ?? [])
    return runs.sort((a, b) => b.startedAt - a.startedAt)
  }

  /**
   * Gives a page of a search.
   * @param runId what a run's number stands for, as far as the tables say
   * @param count how many traces there are, as far as the tables say
   */
  page(query: TraceQuery, { seen }: Place, size: number, known: { runId: Names['run']; count: number }): Page {
    const text = JSON.stringify(query)
    if (this.#known?.query !== text) this.#known = { query: text, entries: this.#entries(query, known) }
    const { entries } = this.#known
    const items: StoredTrace[] = []
    const lost: (number | string)[] = []
    for (const entry of entries.slice(seen, seen + size)) {
      const stored = typeof entry === 'object' ? this.#stored(entry.seq, entry.trial, query, known.runId) : undefined
      if (stored) items.push(stored)
      else lost.push(typeof entry === 'object' ? nameOf(entry.trial) : entry)
    }
    const end = seen + size
    return { items, lost, ...(end < entries.length && { next: { after: [], seen: end, expected: 0 } }) }
  }

  #entries(query: TraceQuery, known: { runId: Names['run']; count: number }): Entry[] {
    const { runId, fromIndex = 0, rowId, traceId } = query
    const trials = runId === undefined ? [] : this.#trialsOf(runId)
    const here = trials.filter((trial) => trial.position >= fromIndex && (rowId === undefined || trial.row_id === rowId))
    const all =
      runId === undefined
        ? [...this.#traces.keys()].map((seq) => ({ seq }))
        : here.map((trial) => ({ seq: trial.seq, trial }))
    const found: Exclude<Entry, number | string>[] = []
    const lost: (number | string)[] = []
    for (const { seq, trial } of all as { seq: number; trial?: Row }[]) {
      const stored = this.#stored(seq, trial, query, known.runId)
      if (!stored) lost.push(nameOf(trial))
      else if (this.#isFound(stored, query)) found.push({ seq, ...(trial && { trial }), key: sortKey(stored, query) })
    }
    const terms = orderOf(query)
    found.sort((a, b) => compareKeys(a.key, b.key, terms))
    const { after } = query
    const later = after ? found.filter(({ key }) => compareKeys(key, after, terms) > 0) : found
    if (later.length > 0 && (traceId !== undefined || rowId !== undefined)) return later
    const gone = runId === undefined ? this.#goneTraces(known.count) : this.#goneRows(runId, trials, fromIndex)
    const numbers = [...lost, ...gone].filter((one) => typeof one === 'number').sort((a, b) => a - b)
    return [...later, ...numbers, ...lost.filter(isText), ...gone.filter(isText)]
  }

  #isFound(stored: StoredTrace, { experiment, traceId, filter }: TraceQuery): boolean {
    const { trace } = stored
    if (experiment !== undefined && trace.experiment !== experiment) return false
    if (traceId !== undefined && trace.id !== traceId) return false
    return !filter || matches(filter, filterSubject(stored, stored.trial ? [stored.trial.runId] : []))
  }

  #goneTraces(count: number): string[] {
    const gone = count - this.#traces.size
    if (gone > 0) return [plural(gone, 'trace')]
    return count === 0 ? ['an unknown number of traces'] : []
  }

  /** What a run should have beside the trials that are left of it. */
  #goneRows(runId: string, trials: readonly Row[], fromIndex: number): (number | string)[] {
    const run = this.run(runId)
    const positions = new Set<number>(trials.map(({ position }) => position))
    const last = Math.max(-1, ...positions)
    const gaps = (end: number): number[] =>
      Array.from({ length: Math.max(0, end - fromIndex) }, (_, i) => fromIndex + i)
        .filter((position) => !positions.has(position))
        .map((position) => position + 1)
    if (!run) return [...gaps(last + 1), 'the record of the run', 'an unknown number of rows']
    if (run.status !== 'finished') return [...gaps(last + 1), `every row from ${Math.max(last + 1, fromIndex) + 1} on`]
    const { rows } = run.totals
    if (trials.length >= rows) return []
    const plain = last < rows && trials.every(({ repeat }) => repeat === 0)
    return plain && trials.length > 0 ? gaps(rows) : [plural(rows - trials.length, 'row')]
  }

  /** The trials that name the run in their checksum, in the order of their rows. */
  #trialsOf(runId: string): Row[] {
    const kept = new Map<string, Row | undefined>()
    for (const trial of this.#trials) {
      const trace = this.#traceRow(trial.seq)
      // Of a trial whose trace is lost, the checksum cannot be computed: its run is the one that another trial with this number names.
      if (!trace && this.#runId(trial.run) !== runId) continue
      if (trace && !isOf(trial, trace.id, runId)) continue
      once(kept, `${trial.position}:${trial.repeat}`, trial)
    }
    const trials = [...kept.values()].filter((trial) => trial !== undefined)
    return trials.sort((a, b) => a.position - b.position || a.repeat - b.repeat)
  }

  #runId(key: number): string | undefined {
    return this.#runs.get(key)?.id
  }

  #traceRow(seq: number): Row | undefined {
    const row = this.#only(this.#traces, seq, TRACE_NAMES)?.[0]
    return row && { ...row, seq }
  }

  /** Gives the records that belong to a trace; undefined when there are two versions of one. */
  #only(places: ReadonlyMap<number, number[]>, seq: number, names: readonly string[]): Row[] | undefined {
    const rows = new Map<string, Row>()
    const ids = names === LABEL ? 3 : names === ASSESSMENT ? 2 : 0
    for (const place of places.get(seq) ?? []) {
      const values = this.#leaves.at(place)?.values
      if (!values) return undefined
      const row = rowOf(names, values)
      const key = values.slice(0, ids).join(':')
      const other = rows.get(key)
      if (other && !isDeepStrictEqual(other, row)) return undefined
      rows.set(key, row)
    }
    return [...rows.values()]
  }

  #stored(
    seq: number,
    trial: Row | undefined,
    { runId, includeSpans, filter }: TraceQuery,
    run: Names['run'],
  ): StoredTrace | undefined {
    const trace = this.#traceRow(seq)
    const labels = this.#only(this.#labels, seq, LABEL)
    const assessments = this.#only(this.#assessments, seq, ASSESSMENT)
    if (!trace || !labels || assessments?.length !== trace.assessments) return undefined
    const names: Names = {
      name: (id) => this.#names.get(id),
      run: (key) => (trial && key === trial.run ? runId : (this.#runId(key) ?? run(key))),
    }
    const name = ({ key }: Row): string => names.name(key) ?? ''
    const given = {
      labels: labels.sort((a, b) => a.kind - b.kind || (name(a) < name(b) ? -1 : 1)),
      assessments: (assessments as Row[]).sort((a, b) => a.ordinal - b.ordinal),
    }
    const { spans, spans_seal, ...rest } = trace
    const bare = includeSpans === false && !filter
    try {
      return toStored({ ...(bare ? rest : trace), ...trial }, given, names, runId)
    } catch {
      return undefined
    }
  }
}

function isOf(trial: Row, traceId: string, runId: string): boolean {
  const texts = [runId, traceId, trial.row_id, trial.error, trial.parent]
  return seal(texts, [trial.position, trial.repeat, trial.failed, trial.attempts]) === trial.trial_seal
}

function nameOf(trial: Row | undefined): number | string {
  return trial ? trial.position + 1 : 'a trace'
}

function isText(value: number | string): value is string {
  return typeof value === 'string'
}

function rowOf(names: readonly string[], values: readonly Cell[]): Row {
  return Object.fromEntries(names.map((name, i) => [name, values[i]]))
}

/** Keeps what is there once; of what is there in two versions, nothing. */
function once<K, V>(map: Map<K, V | undefined>, key: K, value: V): void {
  map.set(key, !map.has(key) || isDeepStrictEqual(map.get(key), value) ? value : undefined)
}

function add(map: Map<number, number[]>, key: Cell | undefined, place: number): void {
  if (typeof key !== 'number') return
  const places = map.get(key)
  if (places) places.push(place)
  else map.set(key, [place])
}
