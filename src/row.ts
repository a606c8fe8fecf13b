import { quote } from './errors.ts'
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
  /** A recorded execution; gives inputs, outputs and expectations where the row states none. */
  readonly trace?: Trace
}

/** A row that has been looked at once: identity settled, nothing left to default. */
export interface Trial {
  readonly row: Row
  readonly rowId: string
  /** Position in the data, from 0. */
  readonly index: number
  /** Which repetition of the row, from 0. */
  readonly repeat: number
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
  requireRecord(row.expectations, 'expectations', where)
  requireRecord(row.tags, 'tags', where)
  for (const [key, value] of Object.entries(row.tags ?? {})) {
    if (typeof value !== 'string') throw new TypeError(`${where}: tag "${key}" must be a string, found ${quote(value)}`)
  }
  return row.trace ? rowOfTrace(row as Row & { trace: Trace }) : row
}

function requireRecord(value: unknown, field: string, where: string): void {
  if (value === undefined || value === null) return
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new TypeError(`${where}: "${field}" must be an object of names and values, found ${quote(value)}`)
  }
}

/** What a row states itself wins over what its trace remembers. */
function rowOfTrace(row: Row & { readonly trace: Trace }): Row {
  const { trace } = row
  const expectations = row.expectations ?? trace.expectations
  const id = row.id ?? trace.rowId
  return {
    ...(id !== undefined && { id }),
    inputs: 'inputs' in row ? row.inputs : trace.inputs,
    ...('outputs' in row ? { outputs: row.outputs } : trace.status === 'ERROR' ? {} : { outputs: trace.outputs }),
    expectations,
    tags: row.tags ?? trace.tags,
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
    const nth = this.#seen.add(row.id === undefined ? id : sha256(id))
    return nth === 1 ? id : `${id}#${nth}`
  }
}

/**
 * Counts digests in 12 bytes each: a Map of strings would cost ten times that, which shows at a million rows. Keeps 64 bits
 * of every digest; two that agree in those would only make a needless suffix.
 */
class DigestCounter {
  #keys = new BigUint64Array(1_024)
  #counts = new Uint32Array(1_024)
  #size = 0

  add(digest: string): number {
    if (this.#size * 2 >= this.#keys.length) this.#grow()
    const key = BigInt(`0x${digest.slice(0, 16)}`)
    const slot = this.#slot(this.#keys, this.#counts, key)
    if (this.#counts[slot] === 0) {
      this.#keys[slot] = key
      this.#size++
    }
    this.#counts[slot] = (this.#counts[slot] as number) + 1
    return this.#counts[slot] as number
  }

  #slot(keys: BigUint64Array, counts: Uint32Array, key: bigint): number {
    const mask = keys.length - 1
    let slot = Number(key & 0x7fffffffn) & mask
    while (counts[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const keys = new BigUint64Array(this.#keys.length * 2)
    const counts = new Uint32Array(keys.length)
    for (let i = 0; i < this.#keys.length; i++) {
      if (this.#counts[i] === 0) continue
      const slot = this.#slot(keys, counts, this.#keys[i] as bigint)
      keys[slot] = this.#keys[i] as bigint
      counts[slot] = this.#counts[i] as number
    }
    this.#keys = keys
    this.#counts = counts
  }
}
