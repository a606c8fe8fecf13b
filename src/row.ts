import { nearest, quote } from './errors.ts'
import { canonical, sha256 } from './std/json.ts'
import { Trace } from './trace.ts'

/** One thing to evaluate. */
export interface Row<Inputs = any, Outputs = any> {
  /** Stable identity; without it the digest of the inputs. Two runs pair their rows by it. */
  readonly id?: string
  /** What predict is called with. */
  readonly inputs?: Inputs
  /** The app's answer, when it is already there. */
  readonly outputs?: Outputs
  /** Ground truth by name, such as `expected_response`. */
  readonly expectations?: Readonly<Record<string, any>>
  readonly tags?: Readonly<Record<string, string>>
  /** The conversation that the row is a turn of: what scorers of level `session` see together. */
  readonly sessionId?: string
  /** A recorded execution; gives inputs, outputs and expectations where the row states none. */
  readonly trace?: Trace
}

/**
 * Reads one item of the data as a row.
 * @throws TypeError that names the row's position, what was found and what was wanted
 */
export function toRow(item: unknown, index: number): Row {
  const where = `Cannot evaluate row ${index + 1}`
  if (item instanceof Trace) return rowOfTrace({ trace: item })
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new TypeError(`${where}: expected an object with "inputs", "outputs" or "trace", found ${quote(item)}`)
  }
  const row = item as Row
  if (row.trace !== undefined && !(row.trace instanceof Trace)) {
    throw new TypeError(`${where}: "trace" must be a Trace, found ${quote(row.trace)}`)
  }
  if (!('inputs' in row) && !('outputs' in row) && !row.trace) {
    throw new TypeError(
      `${where}: expected "inputs", "outputs" or "trace", found ${quote(item)}\n` +
        'Hint: what predict is called with goes under "inputs", as in { inputs: { question: "…" } }',
    )
  }
  if (row.id !== undefined && (typeof row.id !== 'string' || row.id === '')) {
    throw new TypeError(`${where}: "id" must be a string that is not empty, found ${quote(row.id)}`)
  }
  if (row.sessionId !== undefined && (typeof row.sessionId !== 'string' || row.sessionId === '')) {
    throw new TypeError(`${where}: "sessionId" must be a string that is not empty, found ${quote(row.sessionId)}`)
  }
  for (const key of Object.keys(row)) {
    const near = KNOWN.has(key) ? undefined : nearest(key, PARTS)
    if (near) throw new TypeError(`${where}: unknown field "${key}" (did you mean "${near}"?)`)
  }
  requireRecord(row.expectations, 'expectations', where)
  requireRecord(row.tags, 'tags', where)
  for (const [key, value] of Object.entries(row.tags ?? {})) {
    if (typeof value !== 'string') throw new TypeError(`${where}: tag "${key}" must be a string, found ${quote(value)}`)
  }
  return row.trace ? rowOfTrace(row as Row & { trace: Trace }) : row
}

const PARTS = ['id', 'inputs', 'outputs', 'expectations', 'tags', 'sessionId', 'trace']
/** What the rows of a run have besides; other fields are nobody's business here, unless they look like a slip of the pen. */
const KNOWN = new Set([...PARTS, 'index', 'repeat', 'status', 'error', 'feedback'])

function requireRecord(value: unknown, field: string, where: string): void {
  if (value === undefined || value === null) return
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new TypeError(`${where}: "${field}" must be an object of names and values, found ${quote(value)}`)
  }
}

/** What a row states itself wins over what its trace remembers. */
function rowOfTrace(row: Row & { readonly trace: Trace }): Row {
  const { trace } = row
  const expectations = { ...trace.expectations, ...row.expectations }
  const id = row.id ?? trace.rowId
  const sessionId = row.sessionId ?? trace.sessionId
  return {
    ...(id !== undefined && { id }),
    inputs: 'inputs' in row ? row.inputs : trace.inputs,
    ...('outputs' in row ? { outputs: row.outputs } : trace.status === 'ERROR' ? {} : { outputs: trace.outputs }),
    expectations,
    tags: row.tags ?? trace.tags,
    ...(sessionId !== undefined && { sessionId }),
    trace,
  }
}

/**
 * Gives every row its id: its own, else the digest of its canonical inputs; the second, third, … row of one id gets the
 * suffix `#2`, `#3`, …
 */
export class RowIdentity {
  readonly #seen = new DigestCounter()

  /** @throws NotDataError when the inputs hold a function, a symbol or a cycle */
  identify(row: Row): string {
    const id = row.id ?? sha256(canonical('inputs' in row ? row.inputs : row.outputs))
    const digest = row.id === undefined ? id : digestOf(id)
    for (;;) {
      const nth = this.#seen.add(digest)
      if (nth === 1) return id
      // A row that went through an earlier run brings its suffix along and may be here before this one.
      const suffixed = `${id}#${nth}`
      if (this.#seen.add(digestOf(suffixed)) === 1) return suffixed
    }
  }
}

/** An id that a digest became stays that digest: rows of an earlier run meet rows of the same inputs. */
function digestOf(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id : sha256(id)
}

/**
 * Counts digests in 8 bytes a slot: a Map of strings would cost several times that, which shows at a million rows. Keeps 64 bits
 * of every digest; two that agree in those would only make a needless suffix.
 */
class DigestCounter {
  /** Two numbers a slot, the halves of a digest; an empty slot has zeros. */
  #slots = new Uint32Array(2 * 1_024)
  #size = 0
  /** How often, for those that came more than once. */
  readonly #repeated = new Map<string, number>()

  /** Gives how often the digest has been added by now. */
  add(digest: string): number {
    if (this.#size * 4 >= this.#slots.length) this.#grow()
    const high = Number.parseInt(digest.slice(0, 8), 16)
    const low = Number.parseInt(digest.slice(8, 16), 16) || 1
    const at = find(this.#slots, high, low)
    if (this.#slots[at + 1] === 0) {
      this.#slots[at] = high
      this.#slots[at + 1] = low
      this.#size++
      return 1
    }
    const key = digest.slice(0, 16)
    const count = (this.#repeated.get(key) ?? 1) + 1
    this.#repeated.set(key, count)
    return count
  }

  #grow(): void {
    const wider = new Uint32Array(2 * this.#slots.length)
    for (let i = 0; i < this.#slots.length; i += 2) {
      const [high, low] = [this.#slots[i] as number, this.#slots[i + 1] as number]
      if (low !== 0) wider.set([high, low], find(wider, high, low))
    }
    this.#slots = wider
  }
}

/** Gives where a digest stands, or the empty slot where it belongs. */
function find(slots: Uint32Array, high: number, low: number): number {
  const mask = slots.length / 2 - 1
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2
    if (slots[at + 1] === 0 || (slots[at] === high && slots[at + 1] === low)) return at
  }
}
