import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Archive, ArchivedTrace } from './archival.ts'
import { EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import type { RegistryOptions } from './lifecycle.ts'
import type { Arrival } from './queue.ts'
import { requireKnown } from './registrar.ts'
import { nowMs } from './std/async.ts'
import type { Store } from './store.ts'
import { openStore } from './workspace.ts'

/** The door to archives: production traces with their assessments, appended to a table that lasts longer than the store. */

/** How an archive is switched on. */
export interface ArchivalOptions extends RegistryOptions {
  /** The folder of a Delta Lake table; made where there is none, appended to where there is one. */
  readonly table: string
  /** How often a monitor appends what is new. @default 15 */
  readonly everyMinutes?: number
}

/** An experiment's archive, as the store knows it. */
export interface ArchivalRecord {
  readonly experiment: string
  /** The table's absolute path. */
  readonly table: string
  readonly everyMinutes: number
  readonly enabled: boolean
  /** Who appends, to the table: one numbering of batches. */
  readonly application: string
  /** Changes up to here are in the table. */
  readonly position: number
  /** Rows that have been appended: versions of traces. */
  readonly rows: number
  /** When something was appended last, or looked for, milliseconds since 1970; 0: never. */
  readonly lastAt: number
  /** Who appends right now, and until when others keep away. */
  readonly holder?: string
  readonly heldUntil?: number
}

/**
 * Switches the archive of an experiment on: a monitor (or `archiveTraces()`) then appends its production traces with their assessments to a Delta Lake table, and appends
 * a trace again, with a higher version, when it has changed since: of all rows of one trace the one with the highest `version` counts.
 *
 * Switched off and on again with the same table it goes on where it was; with another table it begins with everything that the store holds.
 * @throws TypeError, RangeError for options that do not fit; EvaluationError ARCHIVE_… when the folder is no table that can be appended to; STORE_…
 */
export async function enableTraceArchival(options: ArchivalOptions): Promise<ArchivalRecord> {
  const where = 'Cannot archive traces'
  requireKnown(options, ['table', 'everyMinutes', 'experiment', 'store'], where)
  const { everyMinutes = 15 } = options
  if (typeof options.table !== 'string' || options.table === '')
    throw new TypeError(`${where}: "table" must be the path of a folder, found ${quote(options.table)}`)
  if (!(everyMinutes > 0))
    throw new RangeError(`${where}: "everyMinutes" must be above 0, found ${quote(everyMinutes)}`)
  const { store, experiment } = place(options)
  const table = resolve(currentHost()?.settings.root ?? process.cwd(), options.table)
  const before = await archivalOf(store, experiment)
  const goesOn = before?.table === table
  const application = goesOn ? before.application : `vitest-evaluate ${randomUUID()}`
  await (await open(table)).lastBatch(application)
  const fresh = { position: 0, rows: 0, lastAt: 0 }
  const record: ArchivalRecord = {
    ...fresh,
    ...(goesOn && before),
    experiment,
    table,
    everyMinutes,
    application,
    enabled: true,
  }
  await keep(store, record)
  return record
}

/** Switches the archive of an experiment off; what is in the table stays. @returns false where it was not on */
export async function disableTraceArchival(options: RegistryOptions = {}): Promise<boolean> {
  requireKnown(options, ['experiment', 'store'], 'Cannot stop archiving traces')
  const { store, experiment } = place(options)
  const before = await archivalOf(store, experiment)
  if (!before?.enabled) return false
  await keep(store, { ...before, enabled: false })
  return true
}

/** Gives the archives of a store, by experiment; those that are switched off, too. */
export async function listArchivals({
  store: given,
}: {
  readonly store?: string | Store
} = {}): Promise<ArchivalRecord[]> {
  const store = openStore(given, currentHost()?.settings)
  return (await store.notes('archival')).map(({ data }) => data as unknown as ArchivalRecord)
}

/** What a round of archiving has done. */
export interface ArchivalReport {
  readonly experiment: string
  readonly table: string
  /** Rows that were appended. */
  readonly rows: number
}

/**
 * Appends what is new or has changed, for every archive that is switched on, or for the one of an experiment.
 * @param options with `due` only those whose time has come
 * @throws EvaluationError ARCHIVE_…, STORE_…
 */
export async function archiveTraces(
  options: RegistryOptions & { readonly due?: boolean } = {},
): Promise<ArchivalReport[]> {
  requireKnown(options, ['experiment', 'store', 'due'], 'Cannot archive traces')
  const store = openStore(options.store, currentHost()?.settings)
  const all = (await listArchivals({ store })).filter(({ enabled }) => enabled)
  const wanted = all.filter(({ experiment }) => (options.experiment ?? experiment) === experiment)
  if (wanted.length === 0 && options.experiment !== undefined) {
    const known = all.map(({ experiment }) => quote(experiment)).join(', ')
    throw new EvaluationError(
      'CONFIG_INVALID',
      `Cannot archive traces: no archive is on for experiment ${quote(options.experiment)}`,
      {
        hint: known ? `on are those of ${known}` : 'enableTraceArchival({ table }) switches one on',
      },
    )
  }
  const due = ({ lastAt, everyMinutes }: ArchivalRecord): boolean => nowMs() - lastAt >= everyMinutes * 60_000
  const reports: ArchivalReport[] = []
  for (const record of wanted) {
    if (options.due && !due(record)) continue
    const rows = await round(store, record)
    if (rows !== undefined) reports.push({ experiment: record.experiment, table: record.table, rows })
  }
  return reports
}

const HOLD_MS = 10 * 60_000
const PAGE = 500
/** A commit is made at so many rows, or so much text. */
const COMMIT_ROWS = 10_000
const COMMIT_CHARS = 32_000_000

/** Gives how many rows were appended; undefined while somebody else is at it. */
async function round(store: Store, record: ArchivalRecord): Promise<number | undefined> {
  const now = nowMs()
  if ((record.heldUntil ?? 0) > now) return undefined
  let held: ArchivalRecord = {
    ...record,
    holder: `${hostname()} ${process.pid} ${randomUUID()}`,
    heldUntil: now + HOLD_MS,
  }
  if (!(await keep(store, held, record))) return undefined
  let appended = 0
  try {
    const archive = await open(record.table)
    // A process that ended between its append and its note has appended more than the note says.
    let position = Math.max(record.position, (await archive.lastBatch(record.application)) ?? 0)
    for (let more = true; more; ) {
      const batch = await gather(store, record.experiment, position)
      more = batch.more
      if (batch.rows.length > 0) {
        const done = await archive.append(batch.rows, { application: record.application, batch: batch.reached })
        if (done !== 'known') appended += done.rows
      }
      position = batch.reached
      const next = { ...held, position, rows: record.rows + appended, heldUntil: nowMs() + HOLD_MS }
      // Somebody has switched it off, or to another table.
      if (!(await keep(store, next, held))) return appended
      held = next
    }
  } finally {
    const { holder: _, heldUntil: __, ...free } = held
    await keep(store, { ...free, lastAt: nowMs() }, held)
  }
  return appended
}

interface Gathered {
  readonly rows: readonly ArchivedTrace[]
  readonly reached: number
  readonly more: boolean
}

async function gather(store: Store, experiment: string, after: number): Promise<Gathered> {
  const rows: ArchivedTrace[] = []
  const archivedAt = nowMs()
  let reached = after
  for (let chars = 0; rows.length < COMMIT_ROWS && chars < COMMIT_CHARS; ) {
    const page = await store.arrivals({ experiment, after: reached, by: 'change', limit: PAGE })
    reached = page.reached
    const versions = new Map(page.items.filter(isForeign).map(({ traceId, position }) => [traceId, position]))
    for await (const stored of store.search({ traceIds: [...versions.keys()] })) {
      const { inputs = '', outputs = '', spans } = stored.trace
      chars += inputs.length + outputs.length + spans.length
      rows.push({ stored, version: versions.get(stored.trace.id) as number, archivedAt })
    }
    if (page.items.length < PAGE) return { rows, reached, more: false }
  }
  return { rows, reached, more: true }
}

function isForeign({ isOwn }: Arrival): boolean {
  return !isOwn
}

async function open(table: string): Promise<Archive> {
  const { delta } = await import('./archives/delta.ts')
  return delta(table)
}

function place(options: RegistryOptions): { readonly store: Store; readonly experiment: string } {
  const settings = currentHost()?.settings
  return { store: openStore(options.store, settings), experiment: experimentName(options.experiment, settings) }
}

async function archivalOf(store: Store, experiment: string): Promise<ArchivalRecord | undefined> {
  const [note] = await store.notes('archival', experiment)
  return note?.data as ArchivalRecord | undefined
}

function keep(store: Store, record: ArchivalRecord, was?: ArchivalRecord): Promise<boolean> {
  const note = { kind: 'archival', id: record.experiment, data: { ...record } } as const
  return store.keepNote(note, was && { ...was })
}
