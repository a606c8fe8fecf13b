import type { Exporter } from '../exporter.ts'
import { writeWhole } from './file.ts'
import { type Cell, flatten } from './flat.ts'

/**
 * The flat table as comma-separated values after RFC 4180: UTF-8 without a byte order mark, lines end with CR LF.
 *
 * Spreadsheets run a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end as a formula, and such a cell may come from a model.
 * Those that are no plain number get an apostrophe in front, and so do those that begin like this after apostrophes of their own. To
 * read such a file exactly, take one apostrophe away wherever `/^'+[=+\-@\t\r\n]/` fits. What text files cannot hold (NUL, half a
 * surrogate pair) becomes U+FFFD. A missing value and an empty text are both an empty cell.
 */
export const csv: Exporter = {
  extensions: ['.csv'],

  async write(run, path) {
    const { columns, rows } = await flatten(run)
    await writeWhole(path, async (sink) => {
      await sink.add(toLine(columns.map(({ name }) => name)))
      for await (const cells of rows()) {
        const full = sink.add(toLine(cells))
        if (full) await full
      }
    })
  },
}

const FORMULA = /^'*[=+\-@\t\r\n]/
const PLAIN_NUMBER = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i
const QUOTED = /[",\r\n]|^\s|\s$/

function toLine(cells: readonly Cell[]): string {
  return `${cells.map(toCell).join(',')}\r\n`
}

function toCell(cell: Cell): string {
  if (cell === undefined) return ''
  const text = String(cell).toWellFormed().replaceAll('\0', '\ufffd')
  const safe = FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
