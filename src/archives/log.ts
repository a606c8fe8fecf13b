import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type EvaluationError, messageOf } from '../errors.ts'
import { type Action, apply, emptySnapshot, type Snapshot } from './actions.ts'
import { type Checkpoint, checkpointActions, newestCheckpoint } from './checkpoint.ts'
import { isMissing, unfit, unreadable, unwritable } from './fault.ts'

/** The log of a Delta table: one numbered file of actions for each commit, and checkpoints that other writers leave. */

const COMMIT = /^(\d{20})\.json$/

/** Reads and extends the log of one table; reading again reads only what is new. */
export class DeltaLog {
  readonly #location: string
  readonly #folder: string
  #snapshot = emptySnapshot()
  #reading: Promise<unknown> = Promise.resolve()

  constructor(location: string) {
    this.#location = location
    this.#folder = join(location, '_delta_log')
  }

  /**
   * Gives the table as it is now, `version` -1 where there is none.
   * @throws EvaluationError ARCHIVE_NOT_READABLE, ARCHIVE_UNFIT
   */
  refresh(): Promise<Snapshot> {
    // One after the other: two at once would both put the same commits into effect.
    const next = this.#reading.then(() => this.#refresh())
    this.#reading = next.catch(() => {})
    return next
  }

  /** Makes the folders of a new table. @throws EvaluationError ARCHIVE_UNFIT for a folder that holds something else */
  async create(): Promise<void> {
    try {
      await mkdir(this.#location, { recursive: true })
      const names = await readdir(this.#location)
      if (names.length > 0 && !names.includes('_delta_log')) throw this.#noTable(names)
      // Before any data: whoever finds data in a folder without a log takes it for something else.
      await mkdir(this.#folder, { recursive: true })
    } catch (cause) {
      throw unwritable(this.#location, cause)
    }
  }

  /**
   * Writes a commit, whole or not at all.
   * @returns false when another writer was faster and has this version
   */
  async commit(version: number, actions: readonly object[]): Promise<boolean> {
    const temporary = join(this.#folder, `_commit_${randomUUID()}.json.tmp`)
    try {
      await writeSafely(temporary, `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`)
      await link(temporary, join(this.#folder, nameOf(version)))
      await syncFolder(this.#folder)
      return true
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw unwritable(this.#location, cause)
    } finally {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  async #refresh(): Promise<Snapshot> {
    const names = await this.#names()
    const newest = names.reduce((most, name) => Math.max(most, Number(COMMIT.exec(name)?.[1] ?? -1)), -1)
    const checkpoint = newestCheckpoint(names)
    if (checkpoint === undefined && newest < 0) {
      this.#snapshot = emptySnapshot()
      return this.#snapshot
    }
    const last = Math.max(newest, checkpoint?.version ?? -1)
    const known = this.#snapshot
    if (known.version === last) return known
    // Older commits may have been cleaned away behind a checkpoint, or all of them with the table.
    const follows = known.version >= 0 && known.version < last && names.includes(nameOf(known.version + 1))
    const start = follows ? known : await this.#from(checkpoint)
    // Until it is whole, nobody sees it: a damaged commit must not leave half of its actions behind.
    const snapshot: Snapshot = { ...start, files: new Map(start.files), transactions: new Map(start.transactions) }
    for (let version = start.version + 1; version <= last; version++) await this.#apply(snapshot, version)
    if (!snapshot.protocol || !snapshot.metaData)
      throw unreadable(this.#location, `its log up to version ${last} says neither protocol nor schema`)
    this.#snapshot = snapshot
    return snapshot
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#folder)
    } catch (cause) {
      if (!isMissing(cause)) throw this.#unlisted(cause)
    }
    const others = await readdir(this.#location).catch((cause): string[] => {
      if (isMissing(cause)) return []
      throw this.#unlisted(cause)
    })
    if (others.length > 0 && !others.includes('_delta_log')) throw this.#noTable(others)
    return []
  }

  #unlisted(cause: unknown): EvaluationError {
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR')
      return unfit(this.#location, 'it is a file, and a table is a folder')
    return unreadable(this.#location, messageOf(cause), cause)
  }

  #noTable(names: readonly string[]): EvaluationError {
    const [first] = names
    const problem = `there is no folder "_delta_log" in it, but "${first}"${names.length > 1 ? ' and other things' : ''}`
    return unfit(this.#location, problem, 'name a folder that is a Delta table, is empty, or does not exist yet')
  }

  async #from(checkpoint: Checkpoint | undefined): Promise<Snapshot> {
    const snapshot = emptySnapshot()
    if (!checkpoint) return snapshot
    try {
      for (const name of checkpoint.names) {
        for await (const action of checkpointActions(join(this.#folder, name))) apply(snapshot, action)
      }
    } catch (cause) {
      const problem = `the checkpoint of version ${checkpoint.version} is damaged: ${messageOf(cause)}`
      throw unreadable(this.#location, problem, cause)
    }
    snapshot.version = checkpoint.version
    return snapshot
  }

  async #apply(snapshot: Snapshot, version: number): Promise<void> {
    const actions = await this.#commitActions(version)
    for (const action of actions) apply(snapshot, action)
    snapshot.version = version
  }

  async #commitActions(version: number): Promise<Action[]> {
    const name = nameOf(version)
    let text: string
    try {
      text = await readFile(join(this.#folder, name), 'utf8')
    } catch (cause) {
      const problem = isMissing(cause) ? `commit ${version} is missing in its log` : messageOf(cause)
      throw unreadable(this.#location, problem, cause)
    }
    const lines = text.split('\n')
    const actions = lines.map((line, i) => (line.trim() === '' ? undefined : this.#action(line, name, i + 1)))
    const found = actions.filter((action) => action !== undefined)
    if (found.length === 0) throw unreadable(this.#location, `"${name}" of its log is empty`)
    return found
  }

  #action(line: string, name: string, nth: number): Action {
    const action = parsed(line)
    if (action) return action
    throw unreadable(this.#location, `"${name}" of its log is damaged: line ${nth} is no action`)
  }
}

function nameOf(version: number): string {
  return `${String(version).padStart(20, '0')}.json`
}

/** Gives undefined for what is no action; actions with unknown names mean nothing to readers. */
function parsed(line: string): Action | undefined {
  try {
    const action = JSON.parse(line)
    if (typeof action !== 'object' || action === null || Array.isArray(action)) return undefined
    const { add, remove, metaData, protocol, txn } = action
    const fits =
      (!add || (typeof add.path === 'string' && typeof add.partitionValues === 'object')) &&
      (!remove || typeof remove.path === 'string') &&
      (!metaData || (typeof metaData.schemaString === 'string' && Array.isArray(metaData.partitionColumns))) &&
      (!protocol || typeof protocol.minReaderVersion === 'number') &&
      (!txn || (typeof txn.appId === 'string' && typeof txn.version === 'number'))
    return fits ? action : undefined
  } catch {
    return undefined
  }
}

async function writeSafely(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes names in a folder survive a power cut, where the system can; what is done is done, so it never fails. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // Windows opens no folders.
  }
}
