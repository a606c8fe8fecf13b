import type { RunSnapshot } from '../exporter.ts'
import type { Assessment } from '../feedback.ts'
import { decode, dict, encode } from '../std/json.ts'
import type { StoredTrace } from '../store.ts'

/** A run as a table for people: one line per trial, simple values only, the columns found by reading the run once. */

export type Cell = boolean | number | string | undefined

export interface FlatColumn {
  readonly name: string
  /** What every cell is that is not missing. */
  readonly type: 'boolean' | 'number' | 'string'
}

export interface FlatTable {
  readonly columns: readonly FlatColumn[]
  /** Reads the run again, and gives its cells in the order of the columns. */
  rows(): AsyncIterable<Cell[]>
}

/**
 * Finds the columns of a run: `id`, `index`, `repeat`, `status`, `sessionId` where rows have one, then `inputs.<key>`, `outputs`, `expectations.<key>` and `tags.<key>`,
 * then three for each Feedback, then `error`, `trace_id`, `duration_ms`.
 *
 * Inputs and outputs are spread over columns when they are records in every row, and with at most 500 keys; otherwise they are one
 * column. A value that is no boolean, number or text stands there as its JSON text. Of two columns with one name, the later gets `#2`.
 */
export async function flatten(run: RunSnapshot): Promise<FlatTable> {
  const parts = PARTS.map((name) => new Part(name))
  const feedback = new Map<string, Types>()
  for (const { name } of run.record.columns) typesAt(feedback, name)
  let hasSessions = false
  for await (const stored of run.trials()) {
    const row = read(stored)
    hasSessions ||= stored.trace.sessionId !== undefined
    for (const part of parts) part.add(row[part.name])
    for (const [name, { value }] of row.feedback) typesAt(feedback, name).add(value)
  }
  const session: Column = { name: 'sessionId', type: 'string', cell: ({ stored }) => stored.trace.sessionId }
  const columns = unique([
    { name: 'id', type: 'string', cell: ({ stored }) => stored.trial?.rowId },
    { name: 'index', type: 'number', cell: ({ stored }) => stored.trial?.index },
    { name: 'repeat', type: 'number', cell: ({ stored }) => stored.trial?.repeat },
    { name: 'status', type: 'string', cell: ({ stored }) => stored.trial?.status },
    ...(hasSessions ? [session] : []),
    ...parts.flatMap((part) => part.columns()),
    ...[...feedback].flatMap(([name, types]) => feedbackColumns(name, types)),
    { name: 'error', type: 'string', cell: ({ stored }) => errorText(stored.trial?.error) },
    { name: 'trace_id', type: 'string', cell: ({ stored }) => stored.trace.id },
    { name: 'duration_ms', type: 'number', cell: ({ stored }) => milliseconds(stored.trace.durationNs) },
  ])
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    async *rows() {
      for await (const stored of run.trials()) {
        const row = read(stored)
        yield columns.map(({ type, cell }) => {
          const value = cell(row)
          return type === 'string' && value !== undefined ? String(value) : value
        })
      }
    },
  }
}

interface Column extends FlatColumn {
  readonly cell: (row: FlatRow) => Cell
}

interface FlatRow {
  readonly stored: StoredTrace
  readonly inputs: unknown
  readonly outputs: unknown
  readonly expectations: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly feedback: ReadonlyMap<string, Assessment>
}

const PARTS = ['inputs', 'outputs', 'expectations', 'tags'] as const
const MAX_KEYS = 500

function read(stored: StoredTrace): FlatRow {
  const { trace, assessments } = stored
  const expectations = dict<unknown>()
  const feedback = new Map<string, Assessment>()
  for (const assessment of assessments) {
    if (!assessment.valid) continue
    if (assessment.kind === 'expectation') expectations[assessment.name] = assessment.value
    else feedback.set(assessment.name, assessment)
  }
  return {
    stored,
    inputs: trace.inputs === undefined ? undefined : decode(trace.inputs),
    outputs: trace.outputs === undefined ? undefined : decode(trace.outputs),
    expectations,
    tags: trace.tags,
    feedback,
  }
}

/** What one part of the rows looks like over the whole run. */
class Part {
  readonly name: (typeof PARTS)[number]
  readonly #keys = new Map<string, Types>()
  readonly #whole = new Types()
  #onlyRecords = true

  constructor(name: (typeof PARTS)[number]) {
    this.name = name
  }

  add(value: unknown): void {
    this.#whole.add(value)
    if (value === undefined || value === null || !this.#onlyRecords) return
    this.#onlyRecords = isRecord(value)
    if (!isRecord(value)) return
    for (const [key, item] of Object.entries(value)) typesAt(this.#keys, key).add(item)
    if (this.#keys.size > MAX_KEYS) this.#onlyRecords = false
  }

  columns(): Column[] {
    const { name } = this
    if (this.#onlyRecords && this.#keys.size > 0) {
      return [...this.#keys].map(([key, types]) => ({
        name: `${name}.${key}`,
        type: types.type,
        cell: (row) => {
          const record = row[name]
          return isRecord(record) && Object.hasOwn(record, key) ? cellOf(record[key]) : undefined
        },
      }))
    }
    if (this.#onlyRecords && (name === 'expectations' || name === 'tags')) return []
    return [{ name, type: this.#whole.type, cell: (row) => cellOf(row[name]) }]
  }
}

function feedbackColumns(name: string, types: Types): Column[] {
  const of = (row: FlatRow): Assessment | undefined => row.feedback.get(name)
  return [
    {
      name: `feedback.${name}`,
      type: types.type,
      cell: (row) => (of(row)?.error ? undefined : cellOf(of(row)?.value)),
    },
    { name: `feedback.${name}.rationale`, type: 'string', cell: (row) => of(row)?.rationale },
    { name: `feedback.${name}.error`, type: 'string', cell: (row) => errorText(of(row)?.error) },
  ]
}

/** The types that came by, and the one that fits them all. */
class Types {
  readonly #seen = new Set<FlatColumn['type']>()

  add(value: unknown): void {
    if (value === undefined || value === null) return
    const type = typeof value
    this.#seen.add(type === 'boolean' || type === 'number' ? type : 'string')
  }

  get type(): FlatColumn['type'] {
    const [first = 'string'] = this.#seen
    return this.#seen.size > 1 ? 'string' : first
  }
}

function typesAt(map: Map<string, Types>, key: string): Types {
  const there = map.get(key) ?? new Types()
  map.set(key, there)
  return there
}

function cellOf(value: unknown): Cell {
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'number':
    case 'string':
      return value
    case 'bigint':
      return String(value)
  }
  if (value === null) return undefined
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : encode(value)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function errorText(error: Assessment['error']): string | undefined {
  return error && `${error.code}: ${error.message}`
}

function milliseconds(ns: number | undefined): number | undefined {
  return ns === undefined ? undefined : ns / 1e6
}

/** Feedback `x.rationale` and the rationale of `x` would share a column, and one of them be lost. Names are made fit for UTF-8 first. */
function unique(columns: readonly Column[]): Column[] {
  const taken = new Set<string>()
  return columns.map((column) => {
    const wanted = column.name.toWellFormed().replaceAll('\0', '\ufffd')
    let name = wanted
    for (let nth = 2; taken.has(name); nth++) name = `${wanted}#${nth}`
    taken.add(name)
    return { ...column, name }
  })
}
