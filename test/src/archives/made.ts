import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { COLUMNS } from '../../../src/archives/columns.ts'

/** Tables made by hand: logs as other writers may leave them. */

export const PROTOCOL: object = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }

export function metaData(more: object = {}, fields: readonly object[] = COLUMNS): object {
  const schemaString = JSON.stringify({ type: 'struct', fields })
  const format = { provider: 'parquet', options: {} }
  return { metaData: { id: 'x', format, schemaString, partitionColumns: ['date'], configuration: {}, ...more } }
}

/** Writes a commit; actions as they are, or text that is none. */
export function writeCommit(location: string, version: number, actions: readonly object[] | string): void {
  const text = typeof actions === 'string' ? actions : actions.map((one) => JSON.stringify(one)).join('\n')
  const path = join(location, '_delta_log', `${String(version).padStart(20, '0')}.json`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/**
 * Unpacks a table that `deltalake` 1.6.6 for Python has changed: it appended the rows of two commits under names with `python `,
 * deleted `python b`, compacted, wrote a checkpoint of version 4 (the commits before it are gone), appended them again with `after `,
 * and vacuumed.
 */
export function unpackForeign(location: string): void {
  const file = new URL('../../data/deltalake.json', import.meta.url)
  const packed = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
  for (const [path, bytes] of Object.entries(packed)) {
    mkdirSync(dirname(join(location, path)), { recursive: true })
    writeFileSync(join(location, path), Buffer.from(bytes, 'base64'))
  }
}
