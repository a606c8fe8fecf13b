import { extname } from 'node:path'
import { quote } from '../errors.ts'
import type { Exporter } from '../exporter.ts'
import { arrow } from './arrow.ts'
import { csv } from './csv.ts'
import { jsonl } from './jsonl.ts'
import { parquet } from './parquet.ts'

export { toArrowTable } from './arrow.ts'

/** Every format a run can be exported to. */
export const exporters: readonly Exporter[] = [jsonl, arrow, csv, parquet]

/**
 * Gives the exporter for a file by the ending of its name, in whatever case.
 * @throws TypeError that lists the formats when there is none for it
 */
export function exporterFor(path: string): Exporter {
  const ending = typeof path === 'string' ? extname(path).toLowerCase() : ''
  const exporter = exporters.find(({ extensions }) => extensions.includes(ending))
  if (exporter) return exporter
  const formats = exporters.flatMap(({ extensions, read }) =>
    extensions.map((extension) => `${extension} (${read ? 'complete, can be opened again' : 'a flat table'})`),
  )
  throw new TypeError(
    `Cannot tell the format of an exported run from ${quote(path)}\nHint: end its name with ${formats.join(', ')}`,
  )
}
