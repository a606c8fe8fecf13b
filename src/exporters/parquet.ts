import type { Exporter } from '../exporter.ts'
import { type Sink, writeWhole } from './file.ts'
import { type Cell, type FlatColumn, flatten } from './flat.ts'

/** A row group is as large as what is held in memory. */
const GROUP_ROWS = 5_000
const GROUP_CHARACTERS = 1 << 24

const PHYSICAL = { boolean: 'BOOLEAN', number: 'DOUBLE', string: 'STRING' } as const

/**
 * The flat table as Parquet, compressed by Snappy: booleans, doubles and texts, null where a value is missing. A column whose values
 * are not all of one type holds texts.
 */
export const parquet: Exporter = {
  extensions: ['.parquet'],

  async write(run, path) {
    const { columns, rows } = await flatten(run)
    const { ByteWriter, ParquetWriter, schemaFromColumnData } = await import('hyparquet-writer')
    await writeWhole(path, async (sink) => {
      const writer = streaming(new ByteWriter(), sink)
      const schema = schemaFromColumnData({ columnData: withData(columns, undefined) })
      const file = new ParquetWriter({ writer, schema, createdBy: 'vitest-evaluate' })
      for await (const group of groupsOf(columns.length, rows())) {
        await file.write({ columnData: withData(columns, group), rowGroupSize: GROUP_ROWS })
      }
      await file.finish()
    })
  },
}

function withData(columns: readonly FlatColumn[], group: readonly Cell[][] | undefined) {
  return columns.map(({ name, type }, i) => ({ name, type: PHYSICAL[type], data: group?.[i] ?? [] }))
}

interface BytesInMemory {
  index: number
  getBytes(): Uint8Array
}

/** Lets the writer, which gathers bytes in memory, hand them on after every row group. */
function streaming<W extends BytesInMemory>(writer: W, sink: Sink) {
  const flush = async (): Promise<void> => {
    await sink.write(writer.getBytes())
    writer.index = 0
  }
  return Object.assign(writer, { flush, finish: flush })
}

/** Turns rows into columns, one group at a time. */
async function* groupsOf(width: number, rows: AsyncIterable<Cell[]>): AsyncGenerator<Cell[][]> {
  const empty = (): Cell[][] => Array.from({ length: width }, () => [])
  let group = empty()
  let length = 0
  let characters = 0
  for await (const cells of rows) {
    for (const [i, cell] of cells.entries()) {
      group[i]?.push(cell)
      if (typeof cell === 'string') characters += cell.length
    }
    if (++length < GROUP_ROWS && characters < GROUP_CHARACTERS) continue
    yield group
    group = empty()
    length = characters = 0
  }
  if (length > 0) yield group
}
