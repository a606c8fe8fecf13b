import type { Column } from '../../src/column.ts'
import type { RunRecord } from '../../src/run.ts'
import { type Sheet, SheetBuilder, type SheetEntry } from '../../src/sheet.ts'
import { runRecord } from './records.ts'

/** What a sheet is made of; rows are called q-1, q-2, … */
export interface SheetInit {
  /** By column, the value of each row; undefined where there is none, an Error where the scorer failed. */
  readonly columns: Readonly<Record<string, readonly unknown[]>>
  readonly ids?: readonly string[]
  readonly failed?: readonly number[]
  readonly truth?: readonly string[]
  readonly clusters?: readonly string[]
  readonly latencies?: readonly number[]
  readonly cost?: number
  readonly source?: string
  readonly found?: Readonly<Record<string, readonly number[]>>
  readonly record?: Partial<RunRecord>
}

/** Gives the record of a column that a test need not look at. */
export function column(name: string, given: Partial<Column> = {}): Column {
  return {
    name,
    kind: 'boolean',
    scorer: name,
    rows: 0,
    scored: 0,
    missing: 0,
    errors: 0,
    errorCodes: {},
    aggregates: {},
    ...given,
  }
}

/** Makes a sheet as a stored run would give it. */
export function sheetOf({ columns, record = {}, ...given }: SheetInit): Sheet {
  const names = Object.keys(columns)
  const run = runRecord({
    status: 'finished',
    columns: names.map((name) => column(name)),
    scorers: names.map((name) => ({ name, version: '1' })),
    ...record,
  })
  const builder = new SheetBuilder(run, Object.keys(given.found ?? {}))
  const count = Math.max(...Object.values(columns).map((values) => values.length))
  for (let index = 0; index < count; index++) {
    const cluster = given.clusters?.[index]
    const latencyMs = given.latencies?.[index]
    builder.add({
      rowId: given.ids?.[index] ?? `q-${index + 1}`,
      traceId: `tr-${index + 1}`,
      index,
      failed: given.failed?.includes(index) ?? false,
      truth: given.truth?.[index] ?? '',
      tags: {},
      found: Object.entries(given.found ?? {})
        .filter(([, places]) => places.includes(index))
        .map(([filter]) => filter),
      feedback: names.flatMap((name): SheetEntry['feedback'] => {
        const value = columns[name]?.[index]
        if (value instanceof Error) return [{ name, error: { code: 'X', message: value.message }, source: 'CODE' }]
        return value === undefined ? [] : [{ name, value, source: given.source ?? 'CODE' }]
      }),
      ...(cluster !== undefined && { cluster }),
      ...(latencyMs !== undefined && { latencyMs }),
      ...(given.cost !== undefined && { cost: given.cost / count }),
    })
  }
  return builder.build()
}

/** Gives so many verdicts that passed, then so many that failed. */
export function verdicts(passed: number, failed: number): boolean[] {
  return [...new Array<boolean>(passed).fill(true), ...new Array<boolean>(failed).fill(false)]
}
