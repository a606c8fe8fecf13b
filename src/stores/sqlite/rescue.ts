import { isDeepStrictEqual } from 'node:util'
import { matches } from '../../filter.ts'
import { compareKeys, type SortKey } from '../../order.ts'
import type { RunRecord } from '../../run.ts'
import { plural } from '../../std/text.ts'
import type { StoredTrace, TraceQuery } from '../../store.ts'
import { filterSubject, orderOf, sortKey } from '../../subject.ts'
import type { Page, Place } from './cursor.ts'
import { type Cell, Leaves, type Raw } from './leaves.ts'
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
type Entry = Found | number | string

interface Found {
  readonly seq: number
  readonly trial?: Row
}

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
      if (values.length === 3 && typeof text === 'string' && sealText(text) === values[2])
        once(this.#names, rowid, text)
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
      const bare = query.includeSpans === false
      const stored = typeof entry === 'object' ? this.#stored(entry, query.runId, known.runId, bare) : undefined
      if (stored) items.push(stored)
      else lost.push(typeof entry === 'object' ? 'a trace' : entry)
    }
    const end = seen + size
    return { items, lost, ...(end < entries.length && { next: { after: [], seen: end, expected: 0 } }) }
  }

  #entries(query: TraceQuery, known: { runId: Names['run']; count: number }): Entry[] {
    const { runId, fromIndex = 0, rowId, traceId, after } = query
    const trials = runId === undefined ? [] : this.#trialsOf(runId)
    const here = trials.filter(
      (trial) => trial.position >= fromIndex && (rowId === undefined || trial.row_id === rowId),
    )
    const all: Found[] =
      runId === undefined
        ? [...this.#traces.keys()].map((seq) => ({ seq }))
        : here.map((trial) => ({ seq: trial.seq, trial }))
    const found: (Found & { readonly key: SortKey })[] = []
    const lost: number[] = []
    let whole = 0
    for (const one of all) {
      const stored = this.#stored(one, runId, known.runId)
      if (stored) whole++
      else if (one.trial) lost.push(one.trial.position + 1)
      if (stored && this.#isFound(stored, query)) found.push({ ...one, key: sortKey(stored, query) })
    }
    const terms = orderOf(query)
    found.sort((a, b) => compareKeys(a.key, b.key, terms))
    const later = after ? found.filter(({ key }) => compareKeys(key, after, terms) > 0) : found
    if (later.length > 0 && (traceId !== undefined || rowId !== undefined)) return later
    if (runId === undefined) return [...later, ...this.#goneTraces(whole, known.count)]
    const { rows, others } = this.#goneRows(runId, trials, fromIndex)
    return [...later, ...[...lost, ...rows].sort((a, b) => a - b), ...others]
  }

  #isFound(stored: StoredTrace, { experiment, traceId, filter }: TraceQuery): boolean {
    const { trace } = stored
    if (experiment !== undefined && trace.experiment !== experiment) return false
    if (traceId !== undefined && trace.id !== traceId) return false
    return !filter || matches(filter, filterSubject(stored, stored.trial ? [stored.trial.runId] : []))
  }

  #goneTraces(whole: number, count: number): string[] {
    const gone = Math.max(count, this.#traces.size) - whole
    if (count > 0) return gone > 0 ? [plural(gone, 'trace')] : []
    return [gone > 0 ? `at least ${plural(gone, 'trace')}` : 'an unknown number of traces']
  }

  /** What a run should have beside the trials that are left of it. */
  #goneRows(runId: string, trials: readonly Row[], fromIndex: number): { rows: number[]; others: string[] } {
    const run = this.run(runId)
    const positions = new Set<number>(trials.map(({ position }) => position))
    const end = (trials.at(-1)?.position ?? -1) + 1
    const gaps = (to: number): number[] =>
      Array.from({ length: Math.max(0, to - fromIndex) }, (_, i) => fromIndex + i)
        .filter((position) => !positions.has(position))
        .map((position) => position + 1)
    if (!run) return { rows: gaps(end), others: ['the record of the run', 'an unknown number of rows'] }
    if (run.status !== 'finished') {
      return { rows: gaps(end), others: [`every row from ${Math.max(end, fromIndex) + 1} on`] }
    }
    const gone = run.totals.rows - trials.length
    if (gone <= 0) return { rows: [], others: [] }
    // Where rows were repeated or left out, which of them are gone cannot be told from their number.
    const isPlain = end <= run.totals.rows && trials.every(({ repeat }) => repeat === 0)
    return isPlain && end > 0
      ? { rows: gaps(run.totals.rows), others: [] }
      : { rows: [], others: [plural(gone, 'row')] }
  }

  /** The trials that name the run in their checksum, in the order of their rows. */
  #trialsOf(runId: string): Row[] {
    const kept = new Map<string, Row | undefined>()
    for (const trial of this.#trials) {
      const trace = this.#traceRow(trial.seq)
      if (trace && isOf(trial, trace.id, runId)) once(kept, `${trial.position}:${trial.repeat}`, trial)
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

  /** @param runId the run that is searched */
  #stored({ seq, trial }: Found, runId: string | undefined, run: Names['run'], bare = false): StoredTrace | undefined {
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
