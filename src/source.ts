import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { Row } from './row.ts'

/** Anything that yields rows, again and again, without holding them all. */
export interface Source<Inputs = any> extends AsyncIterable<Row<Inputs>> {
  /** For messages and the run's record: `csv questions.csv`. */
  readonly description: string
  /** The files it reads; in watch mode a change of one runs the evaluation again. */
  readonly files?: readonly string[]
  /** How many rows there are, where that is known before reading. */
  readonly count?: number
}

/** A source of objects by field, such as the lines of a CSV file, before they are rows. */
export interface SourceRecord {
  readonly fields: Readonly<Record<string, unknown>>
  /** Where it stands, for errors: `line 14`, `row 7`. */
  readonly where: string
}

/**
 * Which columns become what. Without it, columns find their place by name: `id`, `inputs.question`, `outputs`,
 * `expectations.answer`, `tags.language`. Lists keep the column's name; records rename: `{ field: 'Column' }`.
 */
export interface ColumnMapping {
  readonly id?: string
  readonly inputs?: readonly string[] | Readonly<Record<string, string>>
  /** One column that is the output, or several that make an object. */
  readonly outputs?: string | readonly string[] | Readonly<Record<string, string>>
  readonly expectations?: readonly string[] | Readonly<Record<string, string>>
  readonly tags?: readonly string[] | Readonly<Record<string, string>>
}

/** The part of Standard Schema (zod, valibot, arktype, …) that is needed here: https://standardschema.dev */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export interface SourceOptions<Inputs = any> {
  readonly columns?: ColumnMapping
  /**
   * Parses each row, and gives it its types. It sees the row built from the columns; where the columns are neither mapped nor
   * named after parts of a row it sees the plain record, and has to give a row.
   */
  readonly schema?: StandardSchema<Row<Inputs>>
}

/** Columns that an export writes for people; they are no part of a row. */
const EXPORTED = /^(feedback\.|trace_id$|status$|error$|duration_ms$|repeat$|index$)/
const PARTS = ['inputs', 'outputs', 'expectations', 'tags'] as const

/**
 * Turns records into rows, by name, by mapping or by schema.
 * @param name the source for messages: `"questions.csv" as CSV`
 * @throws EvaluationError SOURCE_MALFORMED or ROW_INVALID with the record's place
 */
export async function* toRows<Inputs>(
  name: string,
  records: AsyncIterable<SourceRecord> | Iterable<SourceRecord>,
  options: SourceOptions<Inputs>,
): AsyncGenerator<Row<Inputs>> {
  const { columns, schema } = options
  for await (const { fields, where } of records) {
    const fail = (problem: string, hint?: string): never => {
      throw new EvaluationError('ROW_INVALID', `Cannot read ${name}: ${where}: ${problem}`, { hint })
    }
    const row = columns ? mapped(fields, columns, fail) : named(fields, schema !== undefined, fail)
    yield schema ? await parsed(row, schema, fail) : (row as Row<Inputs>)
  }
}

type Fail = (problem: string, hint?: string) => never
type RowDraft = Record<string, unknown>

function mapped(fields: Readonly<Record<string, unknown>>, columns: ColumnMapping, fail: Fail): RowDraft {
  const read = (column: string): unknown => {
    if (!Object.hasOwn(fields, column)) {
      const names = Object.keys(fields)
      fail(
        `there is no column "${column}"${didYouMean(column, names)}`,
        `the columns are ${names.map(quote).join(', ')}`,
      )
    }
    return fields[column]
  }
  const row: RowDraft = {}
  if (columns.id !== undefined) row.id = String(read(columns.id))
  for (const part of PARTS) {
    const mapping = columns[part]
    if (mapping === undefined) continue
    if (typeof mapping === 'string') {
      row[part] = read(mapping)
      continue
    }
    const pairs = Array.isArray(mapping) ? mapping.map((name) => [name, name]) : Object.entries(mapping)
    row[part] = Object.fromEntries(pairs.map(([field, column]) => [field, read(column as string)]))
  }
  return row
}

/** Places each column by its name. With a schema, columns without a place are handed on as they are. */
function named(fields: Readonly<Record<string, unknown>>, lenient: boolean, fail: Fail): RowDraft {
  const row: RowDraft = {}
  const lost: string[] = []
  for (const [column, value] of Object.entries(fields)) {
    const dot = column.indexOf('.')
    const part = dot < 0 ? column : column.slice(0, dot)
    if (column === 'id') {
      if (value !== undefined && value !== null && value !== '') row.id = String(value)
    } else if (!(PARTS as readonly string[]).includes(part)) {
      if (!EXPORTED.test(column)) lost.push(column)
    } else if (dot < 0) row[part] = value
    else row[part] = { ...(row[part] as object | undefined), [column.slice(dot + 1)]: value }
  }
  if (lost.length === 0) return row
  if (lenient) return { ...fields }
  const first = lost[0] as string
  const near = didYouMean(first, PARTS)
  return fail(
    `column ${quote(first)} has no place in a row${near}`,
    `name it "inputs.${first}" (or "expectations.…", "tags.…", "outputs"), or say where columns go: ` +
      `{ columns: { inputs: [${lost.map(quote).join(', ')}] } }`,
  )
}

async function parsed<Inputs>(row: RowDraft, schema: StandardSchema<Row<Inputs>>, fail: Fail): Promise<Row<Inputs>> {
  const result = await schema['~standard'].validate(row)
  if (!result.issues) return result.value
  const issue = result.issues[0] as StandardIssue
  const path = (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  return fail(`${path ? `"${path}": ` : ''}${issue.message}${more}`)
}
