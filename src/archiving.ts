import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Archive } from './archival.ts'
import { EvaluationError, messageOf, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { gather } from './gather.ts'
import { currentHost } from './host.ts'
import type { RegistryOptions } from './lifecycle.ts'
import { storeToRead } from './open.ts'
import { openStore } from './place.ts'
import { requireKnown } from './registrar.ts'
import { isAlive } from './std/alive.ts'
import { nowMs } from './std/async.ts'
import type { Store } from './store.ts'

/** The door to archives: production traces with their assessments, appended to a table that lasts longer than the store. */

/** How an archive is switched on. */
export interface ArchivalOptions extends RegistryOptions {
  /** The folder of a Delta Lake table; made where there is none, appended to where there is one. Relative to the project's root, else the working directory. */
  readonly table: string
  /** How often a monitor appends what is new. @default what it was for this table, else 15 */
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
  /** The version of the rows that were appended last. */
  readonly version: number
  /** Rows that have been appended: versions of traces. */
  readonly rows: number
  /** When something was appended last, or looked for, milliseconds since 1970; 0: never. */
  readonly lastAt: number
  /** Who appends right now. */
  readonly holder?: ArchivalHolder
}

/** Whoever appends; others keep away as long as it lives, and no longer than it says. */
export interface ArchivalHolder {
  readonly id: string
  readonly pid: number
  readonly host: string
  readonly sinceMs: number
  readonly untilMs: number
}

/**
 * Switches the archive of an experiment on: a monitor (or `archiveTraces()`) then appends its production traces with their assessments to a Delta Lake table, and appends
 * a trace again, with a higher version, when it has changed since: of all rows of one trace the one with the highest `version` counts. The table is made at once.
 *
 * Switched off and on again with the same table it goes on where it was; with another table it begins with everything that the store holds.
 * @throws TypeError, RangeError for options that do not fit; EvaluationError ARCHIVE_… when the folder is no table that can be appended to; STORE_…
 */
export async function enableTraceArchival(options: ArchivalOptions): Promise<ArchivalRecord> {
  const where = 'Cannot archive traces'
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${where}: expected { table }, found ${quote(options)}`)
  requireKnown(options, ['table', 'everyMinutes', 'experiment', 'store'], where)
  const { everyMinutes = EVERY_MINUTES } = options
  if (typeof options.table !== 'string' || options.table === '')
    throw new TypeError(`${where}: "table" must be the path of a folder, found ${quote(options.table)}`)
  if (!(typeof everyMinutes === 'number' && everyMinutes > 0 && Number.isFinite(everyMinutes)))
    throw new RangeError(`${where}: "everyMinutes" must be above 0, found ${quote(everyMinutes)}`)
  const settings = currentHost()?.settings
  const store = openStore(options.store, settings)
  const experiment = experimentName(options.experiment, settings)
  const { root } = settings ?? {}
  // An address that is no path is refused as it was written.
  const archive = await open(isAddress(options.table) ? options.table : resolve(root ?? process.cwd(), options.table))
  const table = archive.location
  const before = await archivalOf(store, experiment)
  const goesOn = before?.table === table && (await archive.lastBatch(before.application)) !== undefined
  const application = goesOn ? before.application : `vitest-evaluate ${randomUUID()}`
  // A batch of nothing: it finds out at once whether the table can be appended to, and tells it from one that takes its place later.
  await archive.append([], { application, batch: 0 })
  const fresh = { application, position: 0, version: 0, rows: 0, lastAt: 0 }
  const record = await amend(store, experiment, (now) => ({
    ...fresh,
    ...(now?.application === application && now),
    experiment,
    table,
    everyMinutes: options.everyMinutes ?? (goesOn ? before.everyMinutes : EVERY_MINUTES),
    enabled: true,
  }))
  return record as ArchivalRecord
}

const EVERY_MINUTES = 15

function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(text)
}

/** Switches the archive of an experiment off; what is in the table stays. @returns false where it was not on */
export async function disableTraceArchival(options: RegistryOptions = {}): Promise<boolean> {
  requireKnown(options, ['experiment', 'store'], 'Cannot stop archiving traces')
  const experiment = experimentName(options.experiment, currentHost()?.settings)
  const changed = await amend(storeToRead(options), experiment, (now) =>
    now?.enabled ? { ...now, enabled: false } : undefined,
  )
  return changed !== undefined
}

/** Gives the archives of a store, by experiment; those that are switched off, too. @throws EvaluationError STORE_… */
export async function listArchivals(options: Pick<RegistryOptions, 'store'> = {}): Promise<ArchivalRecord[]> {
  requireKnown(options, ['store'], 'Cannot list archives')
  return (await storeToRead(options).notes('archival')).map(({ data }) => data as unknown as ArchivalRecord)
}

/** What a round of archiving has done. */
export interface ArchivalReport {
  readonly experiment: string
  readonly table: string
  /** Rows that were appended. */
  readonly rows: number
  /** Traces that the store has lost, and that therefore cannot be archived. */
  readonly lost?: number
  /** True where somebody else is appending just now, and nothing was done. */
  readonly isBusy?: true
}

/**
 * Appends what is new or has changed, for every archive that is switched on, or for the one of an experiment. One that fails keeps no other from it.
 * @param options with `due` only those whose time has come
 * @throws EvaluationError ARCHIVE_…, STORE_…; CONFIG_INVALID where no archive is on for the experiment
 */
export async function archiveTraces(
  options: RegistryOptions & { readonly due?: boolean } = {},
): Promise<ArchivalReport[]> {
  requireKnown(options, ['experiment', 'store', 'due'], 'Cannot archive traces')
  const store = storeToRead(options)
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
  const due = ({ lastAt, everyMinutes }: ArchivalRecord): boolean =>
    // A clock that was put back must not keep anything from being archived.
    lastAt > nowMs() || nowMs() - lastAt >= everyMinutes * 60_000
  const reports: ArchivalReport[] = []
  const faults: unknown[] = []
  for (const record of wanted) {
    if (options.due && !due(record)) continue
    await round(store, record).then(
      (report) => reports.push(report),
      (fault: unknown) => faults.push(fault),
    )
  }
  if (faults.length > 0) throw oneOf(faults)
  return reports
}

function oneOf(faults: readonly unknown[]): unknown {
  const [first] = faults
  if (faults.length === 1 || !(first instanceof EvaluationError)) return first
  return new EvaluationError(first.code, faults.map(messageOf).join('\n'), { cause: first })
}

const HOLD_MS = 10 * 60_000

async function round(store: Store, { experiment, table, application }: ArchivalRecord): Promise<ArchivalReport> {
  const report = { experiment, table, rows: 0 }
  const id = randomUUID()
  const mine = (now: ArchivalRecord | undefined): now is ArchivalRecord =>
    now?.holder?.id === id && now.application === application && now.enabled
  let held = await amend(store, experiment, (now) =>
    now?.enabled && now.application === application && !isHeld(now) ? next(hold(now, id)) : undefined,
  )
  if (!held) return { ...report, isBusy: true }
  let lost = 0
  try {
    const archive = await open(table)
    for (let more = true; more && held; ) {
      // A process that ended between its append and its note has appended more than the note says. Where the table knows nothing of it, it is another table by now.
      const last = await archive.lastBatch(application)
      const position = last === undefined ? 0 : Math.max(held.position, last)
      const batch = await gather(store, experiment, position, held.version)
      more = batch.more
      lost += batch.lost
      const { rows, reached } = batch
      const appended =
        rows.length === 0 ? undefined : await archive.append(rows, { application, batch: reached, follows: position })
      // Somebody else has appended meanwhile: what there is to do has to be found out again.
      if (appended === 'known') more = true
      const count = appended === 'known' || !appended ? 0 : appended.rows
      report.rows += count
      const { version } = held
      held = await amend(store, experiment, (now) =>
        mine(now)
          ? next(
              hold({ ...now, rows: now.rows + count, ...(appended !== 'known' && { position: reached }) }, id),
              version,
            )
          : undefined,
      )
    }
  } finally {
    await amend(store, experiment, (now) => {
      if (now?.holder?.id !== id) return undefined
      const { holder: _, ...free } = now
      return { ...free, lastAt: nowMs() }
    })
  }
  return { ...report, ...(lost > 0 && { lost }) }
}

function hold(record: ArchivalRecord, id: string): ArchivalRecord {
  const now = nowMs()
  const holder = { id, pid: process.pid, host: hostname(), sinceMs: now, untilMs: now + HOLD_MS }
  return { ...record, holder }
}

function isHeld({ holder }: ArchivalRecord): boolean {
  return holder !== undefined && holder.untilMs > nowMs() && isAlive(holder, holder.sinceMs) !== false
}

/**
 * Settles the version of the rows that are appended next, before they are: even one who dies in between has used it up. By the clock, so that a trace that
 * is archived by one store, imported by another and archived again has a higher one then.
 */
function next(record: ArchivalRecord, used: number = record.version ?? 0): ArchivalRecord {
  return { ...record, version: Math.max(nowMs(), used + 1) }
}

async function open(table: string): Promise<Archive> {
  const { delta } = await import('./archives/delta.ts')
  return delta(table)
}

async function archivalOf(store: Store, experiment: string): Promise<ArchivalRecord | undefined> {
  const [note] = await store.notes('archival', experiment)
  return note?.data as ArchivalRecord | undefined
}

/** Changes the record whatever others do to it at the same time. @returns what it is then; undefined where there is nothing to change */
async function amend(
  store: Store,
  experiment: string,
  change: (now: ArchivalRecord | undefined) => ArchivalRecord | undefined,
): Promise<ArchivalRecord | undefined> {
  for (;;) {
    const now = await archivalOf(store, experiment)
    const changed = change(now)
    if (!changed) return undefined
    const note = { kind: 'archival', id: experiment, data: { ...changed } } as const
    if (await store.keepNote(note, now ? { ...now } : null)) return changed
  }
}
