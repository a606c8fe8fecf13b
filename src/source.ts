import { didYouMean, EvaluationError, messageOf, quote } from './errors.ts'
import type { Row } from './row.ts'

/** Anything that yields rows, again and again, without holding them all. */
export interface Source<Inputs = any> extends AsyncIterable<Row<Inputs>> {
  /** For messages and the run's record: `csv questions.csv`. */
  readonly description: string
  /** The files it reads, a glob for all that fit it; in watch mode a change of one, or a new one, runs the evaluation again. */
  readonly files?: readonly string[]
  /** How many rows there are, where that is known before reading. */
  readonly count?: number
  /** What could not be taken over as it was, one sentence each; known once it has been read. */
  readonly mended?: readonly string[]
}

/** A source of objects by field, such as the lines of a CSV file, before they are rows. */
export interface SourceRecord {
  /** `undefined` says that the source holds no value there; `null` is a value. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Where it stands, for errors: `line 14`, `row 7`. */
  readonly where: string
}

/**
 * Which columns become what. Without it, columns find their place by name: `id`, `sessionId`, `inputs.question`, `outputs`,
 * `expectations.answer`, `tags.language`. Lists keep the column's name; records rename: `{ field: 'Column' }`.
 */
export interface ColumnMapping {
  readonly id?: string
  readonly sessionId?: string
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

/** What every source takes: how its columns become rows. */
export interface SourceOptions<Inputs = any> {
  readonly columns?: ColumnMapping
  /**
   * Parses each row, and gives it its types. It sees the row built from the columns; where the columns are neither mapped nor
   * named after parts of a row it sees the plain record, and has to give a row.
   */
  readonly schema?: StandardSchema<SchemaRow<Inputs>>
}

/** What a schema may give: a row, with `undefined` wherever something may be left out, as schemas give it. */
export interface SchemaRow<Inputs = any> {
  readonly id?: string | undefined
  readonly inputs?: Inputs
  readonly outputs?: any
  readonly expectations?: Readonly<Record<string, any>> | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly sessionId?: string | undefined
}

/** Columns that an export writes for people; they are no part of a row. */
const EXPORTED = /^(feedback\.|trace_id$|status$|error$|duration_ms$|repeat$|index$)/
const PARTS = ['inputs', 'outputs', 'expectations', 'tags'] as const
/** Parts that are one text. */
const NAMES: readonly string[] = ['id', 'sessionId']

const PART_NAMES: ReadonlySet<string> = new Set(PARTS)
const OPTIONS = ['columns', 'schema'] as const

/**
 * Checks what the caller of a source wrote.
 * @param action what was wanted, for messages: `read "questions.csv" as CSV`
 * @param more options that this kind of source has beside `columns` and `schema`
 * @throws TypeError that names the option
 */
export function requireSourceOptions(action: string, options: SourceOptions, more: readonly string[] = []): void {
  const fail = (problem: string): never => {
    throw new TypeError(`Cannot ${action}: ${problem}`)
  }
  if (!isRecord(options)) fail(`options must be an object, found ${quote(options)}`)
  const known = [...OPTIONS, ...more]
  requireKeys(options, known, (key) => fail(`unknown option "${key}"${didYouMean(key, known)}`))
  const { columns, schema } = options
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    fail(`"schema" must be a Standard Schema, such as one of zod, found ${quote(schema)}`)
  }
  if (columns === undefined) return
  if (!isRecord(columns)) fail(`"columns" must be an object, found ${quote(columns)}`)
  const parts = [...NAMES, ...PARTS]
  requireKeys(columns, parts, (key) => {
    const hint = didYouMean(key, parts) || `; a mapping has ${parts.map(quote).join(', ')}`
    return fail(`"columns" has an unknown part "${key}"${hint}`)
  })
  for (const [part, mapping] of Object.entries(columns)) {
    const names = isRecord(mapping) ? Object.values(mapping) : mapping
    const one = typeof mapping === 'string' && (NAMES.includes(part) || part === 'outputs')
    const many = !NAMES.includes(part) && Array.isArray(names) && names.every((name) => typeof name === 'string')
    if (mapping !== undefined && !one && !many) {
      const wanted = NAMES.includes(part) ? 'the name of a column' : 'names of columns, as a list or by field'
      fail(`"columns.${part}" must be ${wanted}, found ${quote(mapping)}`)
    }
  }
}

function requireKeys(record: object, known: readonly string[], fail: (key: string) => never): void {
  for (const key of Object.keys(record)) if (!known.includes(key)) fail(key)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Turns records into rows, by name, by mapping or by schema.
 * @param name the source for messages: `"questions.csv" as CSV`
 * @param records all of them, or as many at a time as the source has at hand
 * @throws EvaluationError ROW_INVALID with the record's place
 */
export async function* toRows<Inputs>(
  name: string,
  records: Iterable<SourceRecord> | AsyncIterable<Iterable<SourceRecord>>,
  options: SourceOptions<Inputs>,
): AsyncGenerator<Row<Inputs>> {
  const { columns, schema } = options
  let where = ''
  const fail: Fail = (problem, hint, cause) => {
    throw new EvaluationError('ROW_INVALID', `Cannot read ${name}: ${where}: ${problem}`, { hint, cause })
  }
  for await (const batch of Symbol.asyncIterator in records ? records : [records]) {
    for (const record of batch) {
      where = record.where
      const draft = columns ? mapped(record.fields, columns, fail) : named(record.fields, schema !== undefined, fail)
      yield (schema ? await parsed(draft, schema, fail) : checked(draft, fail)) as Row<Inputs>
    }
  }
}

type Fail = (problem: string, hint?: string, cause?: unknown) => never
type RowDraft = Record<string, unknown>
type Fields = SourceRecord['fields']

function mapped(fields: Fields, columns: ColumnMapping, fail: Fail): RowDraft {
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
  if (columns.id !== undefined) row.id = read(columns.id)
  if (columns.sessionId !== undefined) row.sessionId = read(columns.sessionId)
  for (const part of PARTS) {
    const mapping = columns[part]
    if (mapping === undefined) continue
    if (typeof mapping === 'string') {
      row[part] = read(mapping)
      continue
    }
    const pairs = Array.isArray(mapping) ? mapping.map((name) => [name, name]) : Object.entries(mapping)
    row[part] = Object.fromEntries(pairs.map(([field, column]) => [field, read(column as string) ?? null]))
  }
  return settled(row, fail)
}

/** Places each column by its name. With a schema, columns without a place are handed on as they are. */
function named(fields: Fields, lenient: boolean, fail: Fail): RowDraft {
  const row: RowDraft = {}
  const groups: Record<string, RowDraft> = {}
  const lost: string[] = []
  for (const column of Object.keys(fields)) {
    const dot = column.indexOf('.')
    const part = dot < 0 ? column : column.slice(0, dot)
    const key = column.slice(dot + 1)
    if (NAMES.includes(column)) row[column] = fields[column]
    else if (!PART_NAMES.has(part) || key === '') {
      if (!EXPORTED.test(column)) lost.push(column)
    } else if (dot < 0) row[part] = fields[column]
    else {
      groups[part] ??= {}
      put(groups[part], key, fields[column] ?? null)
    }
  }
  if (lost.length > 0) return lenient ? whole(fields) : homeless(lost, fail)
  for (const part of Object.keys(groups)) {
    if (row[part] !== undefined && row[part] !== null) {
      fail(`there is a column "${part}" and a column "${part}.${Object.keys(groups[part] as RowDraft)[0]}"`)
    }
    row[part] = groups[part]
  }
  const hasPart = PARTS.some((part) => part in row)
  return lenient && !hasPart ? whole(fields) : settled(row, fail)
}

function whole(fields: Fields): RowDraft {
  const record: RowDraft = {}
  for (const column of Object.keys(fields)) put(record, column, fields[column] ?? null)
  return record
}

function put(record: RowDraft, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
  } else record[key] = value
}

function homeless(lost: readonly string[], fail: Fail): never {
  const first = lost[0] as string
  const bare = first.slice(first.indexOf('.') + 1)
  return fail(
    `column ${quote(first)} has no place in a row${didYouMean(first.split('.')[0] as string, PARTS)}`,
    `name it "inputs.${bare}" (or "expectations.…", "tags.…", "outputs"), or say where columns go: ` +
      `{ columns: { inputs: [${lost.map(quote).join(', ')}] } }`,
  )
}

/** Leaves out the parts that have no value, and gives ids and tags the type they have in a row. */
function settled(row: RowDraft, fail: Fail): RowDraft {
  for (const name of NAMES) {
    const text = row[name]
    if (text === undefined || text === null || text === '') delete row[name]
    else if (typeof text === 'object') fail(`"${name}" must be a text or a number, found ${quote(text)}`)
    else row[name] = String(text)
  }
  for (const part of PARTS) {
    if (!(part in row)) continue
    const value = row[part]
    const open = part === 'inputs' || part === 'outputs'
    if (value === undefined || (value === null && !open)) delete row[part]
    else if (!open && !isRecord(value)) {
      const hint = `give each its own column, named "${part}.…"`
      fail(`"${part}" must be an object of names and values, found ${quote(value)}`, hint)
    }
  }
  if (row.tags) row.tags = textsOf(row.tags as RowDraft, fail)
  return row
}

function textsOf(tags: RowDraft, fail: Fail): RowDraft {
  const texts: RowDraft = {}
  for (const [name, value] of Object.entries(tags)) {
    if (value === null || value === undefined) continue
    if (typeof value === 'object') fail(`tag "${name}" must be a text, found ${quote(value)}`)
    put(texts, name, String(value))
  }
  return texts
}

function checked(row: RowDraft, fail: Fail): RowDraft {
  if ('inputs' in row || 'outputs' in row) return row
  return fail(
    'it has neither "inputs" nor "outputs"',
    'what predict is called with comes from "inputs", or from "inputs.question" and the like',
  )
}

async function parsed(draft: RowDraft, schema: StandardSchema<SchemaRow>, fail: Fail): Promise<SchemaRow> {
  let result: StandardResult<SchemaRow>
  try {
    result = await schema['~standard'].validate(draft)
  } catch (cause) {
    return fail(`the schema threw: ${messageOf(cause)}`, undefined, cause)
  }
  if (!result.issues) return result.value
  const issue = result.issues[0] as StandardIssue
  const path = (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  return fail(`${path ? `"${path}": ` : ''}${issue.message}${more}`)
}
