import type { Appended, Archive, ArchiveBatch, ArchivedTrace, ArchiveQuery } from '../archival.ts'
import { quote } from '../errors.ts'
import type { Snapshot } from './actions.ts'
import { requireMeant } from './columns.ts'
import { type AddAction, removeData, writeData } from './data.ts'
import { unreadable, unwritable } from './fault.ts'
import { countLatest, latest } from './latest.ts'
import { DeltaLog } from './log.ts'
import { firstActions, requireReadable, requireWritable } from './table.ts'

/** The work on a table: loaded when it is first used. */

export function openFolder(location: string): Archive {
  const log = new DeltaLog(location)
  return {
    location,
    append: (rows, batch) => append(location, log, rows, batch),

    async lastBatch(application) {
      return (await log.refresh()).transactions.get(application)
    },

    read: (query = {}) => read(location, log, query),

    async count(query = {}) {
      return countLatest(location, (await readable(location, log)).files.values(), query)
    },
  }
}

async function* read(location: string, log: DeltaLog, query: ArchiveQuery): AsyncGenerator<ArchivedTrace> {
  yield* latest(location, (await readable(location, log)).files.values(), query)
}

async function readable(location: string, log: DeltaLog): Promise<Snapshot> {
  const snapshot = await log.refresh()
  if (snapshot.version < 0) throw unreadable(location, 'there is none')
  requireReadable(location, snapshot)
  return snapshot
}

async function append(
  location: string,
  log: DeltaLog,
  rows: readonly ArchivedTrace[],
  { application, batch, follows = batch }: ArchiveBatch,
): Promise<Appended | 'known'> {
  if (typeof application !== 'string' || application === '' || !Number.isSafeInteger(batch))
    throw new TypeError(
      `Cannot archive a batch: expected the name of an application and a whole number, found ${quote(application)} and ${quote(batch)}`,
    )
  rows.forEach(requireMeant)
  let snapshot = await log.refresh()
  if (snapshot.version < 0) await log.create()
  else requireWritable(location, snapshot)
  const isKnown = ({ transactions }: Snapshot): boolean => {
    const last = transactions.get(application)
    return last !== undefined && (last >= batch || last > follows)
  }
  if (isKnown(snapshot)) return 'known'
  const data = await written(location, rows)
  try {
    for (;;) {
      const version = snapshot.version + 1
      if (await log.commit(version, commit(snapshot, data, { application, batch })))
        return { rows: rows.length, version }
      snapshot = await log.refresh()
      if (snapshot.version < version) throw unwritable(location, `version ${version} is there and is not`)
      // A file system over a network may say that a name is taken because we took it.
      if (data[0] && snapshot.files.has(data[0].add.path)) return { rows: rows.length, version: snapshot.version }
      requireWritable(location, snapshot)
      if (!isKnown(snapshot)) continue
      await removeData(location, data)
      return 'known'
    }
  } catch (cause) {
    // Where it cannot be known whether the commit is there, a file that nobody sees is the lesser evil.
    const now = await log.refresh().catch(() => undefined)
    if (now && !data.some(({ add }) => now.files.has(add.path))) await removeData(location, data)
    throw cause
  }
}

async function written(location: string, rows: readonly ArchivedTrace[]): Promise<AddAction[]> {
  try {
    return await writeData(location, rows)
  } catch (cause) {
    // A row that cannot be meant is no fault of the file system.
    throw cause instanceof RangeError || cause instanceof TypeError ? cause : unwritable(location, cause)
  }
}

function commit(
  { version }: Snapshot,
  data: readonly AddAction[],
  { application, batch }: Pick<ArchiveBatch, 'application' | 'batch'>,
): object[] {
  const timestamp = Date.now()
  return [
    {
      commitInfo: {
        timestamp,
        operation: 'WRITE',
        operationParameters: { mode: 'Append', partitionBy: '["date"]' },
        isBlindAppend: true,
        engineInfo: 'vitest-evaluate',
      },
    },
    ...(version < 0 ? firstActions(timestamp) : []),
    { txn: { appId: application, version: batch, lastUpdated: timestamp } },
    ...data,
  ]
}
