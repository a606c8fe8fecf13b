import { randomUUID } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchivedTrace } from '../archival.ts'
import type { Add } from './actions.ts'
import { type Cells, DATA_COLUMNS, dayOf, PARTITION, toCells } from './columns.ts'
import { syncFolder } from './log.ts'
import { parquetSchema, type SimpleType } from './schema.ts'
import { Statistics } from './statistics.ts'

/** Data files: Parquet, compressed by Snappy, one for each day of an append. */

/** A row group is as large as what is held in memory twice. */
const GROUP_ROWS = 1_000
const GROUP_CHARACTERS = 1 << 24
/** What Hive calls the folder of rows without a value. */
const NO_DAY = '__HIVE_DEFAULT_PARTITION__'

export interface AddAction {
  readonly add: Add & { readonly modificationTime: number; readonly dataChange: true }
}

/** Writes rows to new files of a table; readers see them when the actions are committed. Leaves no file behind when it throws. */
export async function writeData(location: string, rows: readonly ArchivedTrace[]): Promise<AddAction[]> {
  const days = Map.groupBy(rows, ({ stored }) => dayOf(stored.trace.requestTimeMs))
  const written: AddAction[] = []
  try {
    for (const [day, ofDay] of days) {
      const folder = `${PARTITION}=${day ?? NO_DAY}`
      const path = `${folder}/part-${randomUUID()}.parquet`
      await mkdir(join(location, folder), { recursive: true })
      const file = join(location, path)
      try {
        const { size, stats } = await writeFile(file, ofDay)
        await syncFolder(join(location, folder))
        const add = { path, partitionValues: { [PARTITION]: day }, size, modificationTime: Date.now() }
        written.push({ add: { ...add, dataChange: true, stats } })
      } catch (cause) {
        await rm(file, { force: true }).catch(() => {})
        throw cause
      }
    }
    return written
  } catch (cause) {
    await removeData(location, written)
    throw cause
  }
}

/** Removes files that no commit names. */
export async function removeData(location: string, written: readonly AddAction[]): Promise<void> {
  for (const { add } of written) await rm(join(location, add.path), { force: true }).catch(() => {})
}

async function writeFile(path: string, rows: readonly ArchivedTrace[]): Promise<{ size: number; stats: string }> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer')
  const handle = await open(path, 'wx')
  try {
    const writer = new ByteWriter()
    const flush = async (): Promise<void> => {
      await handle.appendFile(writer.getBytes())
      writer.index = 0
    }
    const streaming = Object.assign(writer, { flush, finish: flush })
    const file = new ParquetWriter({
      writer: streaming,
      schema: parquetSchema(DATA_COLUMNS),
      createdBy: 'vitest-evaluate',
    })
    const statistics = new Statistics()
    for (const group of groups(rows)) {
      for (const cells of group) statistics.add(cells)
      await file.write({ columnData: columnData(group), rowGroupSize: GROUP_ROWS })
    }
    await file.finish()
    await handle.sync()
    return { size: writer.offset, stats: statistics.text() }
  } finally {
    await handle.close()
  }
}

/** Every value once: looking for repeated ones among long texts costs more than it saves. */
const LONG = new Set(['inputs', 'outputs', 'spans', 'trace_id'])
/** The library compares texts by UTF-16 where Parquet compares bytes. */
const COMPARABLE: ReadonlySet<unknown> = new Set<SimpleType>(['long', 'double', 'timestamp'])

function columnData(group: readonly Cells[]) {
  return DATA_COLUMNS.map(({ name, type }) => ({
    name,
    data: group.map((cells) => cells[name]),
    statistics: COMPARABLE.has(type),
    ...(LONG.has(name) && { encoding: 'PLAIN' as const }),
  }))
}

function* groups(rows: readonly ArchivedTrace[]): Generator<Cells[]> {
  let group: Cells[] = []
  let characters = 0
  for (const row of rows) {
    const { spans, inputs, outputs } = row.stored.trace
    group.push(toCells(row))
    characters += spans.length + (inputs?.length ?? 0) + (outputs?.length ?? 0)
    if (group.length < GROUP_ROWS && characters < GROUP_CHARACTERS) continue
    yield group
    group = []
    characters = 0
  }
  if (group.length > 0) yield group
}
