import type { CsvError } from 'csv-parse'
import { quote } from '../errors.ts'
import type { Source, SourceOptions, SourceRecord } from '../source.ts'
import { plural } from '../std/text.ts'
import { fileSource, type SourceFile } from './file.ts'
import { utf8 } from './utf8.ts'

/** How the file is read, and what its columns become. */
export interface CsvOptions<Inputs = any> extends SourceOptions<Inputs> {
  /** What stands between two cells. @default ',' */
  readonly delimiter?: string
}

/**
 * Gives the rows of a CSV file: UTF-8, a header, cells with delimiters, quotes or line ends in double quotes. Read in pieces, however
 * long the file is. Every value is a text; an empty cell is an empty text, an empty line is skipped.
 *
 * Columns find their place by name (`id`, `inputs.question`, `outputs`, `expectations.answer`, `tags.language`), by `columns`, or
 * by `schema`.
 *
 * @param path relative to the working directory
 * @throws TypeError for a path or an option that cannot be meant
 * @throws EvaluationError while it is read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED and ROW_INVALID with the line on
 * which the row starts
 */
export function csv<Inputs = any>(path: string | URL, options: CsvOptions<Inputs> = {}): Source<Inputs> {
  const read = (file: SourceFile) => readTable(file, options)
  const source = fileSource({ word: 'csv', title: 'CSV', options: ['delimiter'], read }, path, options)
  const { delimiter = ',' } = options
  if (typeof delimiter !== 'string' || !/^[^"\r\n]+$/.test(delimiter)) {
    throw new TypeError(
      `Cannot read CSV: "delimiter" must be a text without quotes and line ends, found ${quote(delimiter)}`,
    )
  }
  return source
}

async function* readTable(file: SourceFile, options: CsvOptions): AsyncGenerator<SourceRecord[]> {
  const { delimiter = ',', columns } = options
  const { parse } = await import('csv-parse')
  const table = new Table(file, columns === undefined)
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    // Taken here and not from the stream, which drops what it has read when a later line is at fault.
    on_record: (cells: string[], { empty_lines }) => {
      table.add(cells, empty_lines)
      return null
    },
  })
  parser.on('error', () => {})
  const settle = (act: (done: (error?: Error | null) => void) => void): Promise<Error | undefined> =>
    new Promise((resolve) => act((error) => resolve(error ?? undefined)))
  const fault = (error: Error): Error => table.fault(error, parser.info.empty_lines)
  try {
    for await (const { bytes } of utf8(file)) {
      const error = await settle((done) => parser.write(bytes, done))
      yield table.take()
      if (error) throw fault(error)
    }
    const error = await settle((done) => parser.end(done))
    yield table.take()
    if (error) throw fault(error)
  } finally {
    parser.destroy()
  }
}

/** Makes records of lines, and knows on which line of the file each one starts. */
class Table {
  readonly #file: SourceFile
  readonly #byName: boolean
  #header: readonly string[] | undefined
  #records: SourceRecord[] = []
  /** The line after the last record, empty lines not counted. */
  #line = 1

  constructor(file: SourceFile, byName: boolean) {
    this.#file = file
    this.#byName = byName
  }

  add(cells: readonly string[], emptyLines: number): void {
    const where = `line ${this.#line + emptyLines}`
    if (this.#header) {
      if (cells.length !== this.#header.length) throw this.#ragged(cells.length, this.#header.length, where)
      this.#records.push({ fields: fieldsOf(this.#header, cells), where })
    } else {
      this.#requireHeader(cells, where)
      this.#header = cells
    }
    this.#line++
    for (const cell of cells) this.#line += lineEnds(cell)
  }

  take(): SourceRecord[] {
    const records = this.#records
    this.#records = []
    return records
  }

  fault(error: Error, emptyLines: number): Error {
    const known = FAULTS[(error as CsvError).code]
    if (!known) return error
    const [problem, hint] = known
    return this.#file.malformed(`line ${this.#line + emptyLines}: ${problem}`, hint, error)
  }

  #ragged(found: number, expected: number, where: string): Error {
    const hint = found > expected ? 'cells that hold the delimiter stand in double quotes' : undefined
    return this.#file.malformed(`${where} has ${plural(found, 'cell')}, expected ${expected} as in the header`, hint)
  }

  #requireHeader(cells: readonly string[], where: string): void {
    for (const [i, name] of cells.entries()) {
      const first = cells.indexOf(name)
      if (name.trim() === '') {
        throw this.#file.malformed(`${where}: cell ${i + 1} of the header is empty`, 'every column needs a name')
      }
      if (first < i) {
        throw this.#file.malformed(`${where}: the header has ${quote(name)} twice, in cells ${first + 1} and ${i + 1}`)
      }
    }
    const [only = ''] = cells
    const other = /[;\t|,]/.exec(only)?.[0]
    if (this.#byName && cells.length === 1 && other !== undefined) {
      const hint = `if ${quote(other)} stands between cells, pass { delimiter: ${quote(other)} }`
      throw this.#file.malformed(`${where}: the header is one cell, ${quote(only)}`, hint)
    }
  }
}

const FAULTS: Readonly<Record<string, readonly [problem: string, hint: string]>> = {
  CSV_INVALID_CLOSING_QUOTE: ['text follows a closing quote', 'inside a quoted cell a quote is written twice'],
  INVALID_OPENING_QUOTE: [
    'a quote stands in a cell that is not quoted',
    'put the whole cell in quotes, and write the quote twice',
  ],
  CSV_QUOTE_NOT_CLOSED: ['a quoted cell is never closed', 'a quote is missing, or the file is cut off'],
}

function fieldsOf(header: readonly string[], cells: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (let i = 0; i < header.length; i++) fields[header[i] as string] = cells[i] as string
  return fields
}

function lineEnds(cell: string): number {
  return cell.includes('\n') || cell.includes('\r') ? (cell.match(/\r\n|\n|\r/g)?.length ?? 0) : 0
}
