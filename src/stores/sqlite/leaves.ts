import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

/**
 * Reads records off the pages of a SQLite file without its trees: of a file that was cut off, the inner pages, which lie late in it, are gone
 * before most of what they lead to. Follows https://sqlite.org/fileformat2.html.
 */

export type Cell = string | number | null | Uint8Array

export interface Raw {
  /** Where it stands in the file: what `at` takes. */
  readonly place: number
  /** Of a table; undefined in an index, which a table without rowids is too. */
  readonly rowid: number | undefined
  readonly values: readonly Cell[]
}

/** The kinds of pages that hold records; an inner page of an index does too. */
const INNER_INDEX = 0x02
const LEAF_INDEX = 0x0a
const LEAF_TABLE = 0x0d
const MAX_PAGE = 65_536
const HEADER = 100

/** A page is not what it should be: what it holds is passed over. */
class Torn extends Error {}

export class Leaves {
  readonly #fd: number
  readonly #size: number
  /** Of a page, what records may take. */
  readonly #usable: number
  readonly #count: number

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    const header = Buffer.alloc(HEADER)
    readSync(this.#fd, header, 0, HEADER, 0)
    const size = header.readUInt16BE(16) === 1 ? MAX_PAGE : header.readUInt16BE(16)
    this.#size = size >= 512 && (size & (size - 1)) === 0 ? size : 4_096
    this.#usable = this.#size - header.readUInt8(20)
    // Of a page that was cut through, records before the cut may be whole.
    this.#count = Math.ceil(fstatSync(this.#fd).size / this.#size)
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Whether a page that lies here is sure to be in use, and in force. */
  static isCurrent(path: string): boolean {
    if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return false
    const header = Buffer.alloc(HEADER)
    const fd = openSync(path, 'r')
    try {
      return readSync(fd, header, 0, HEADER, 0) === HEADER && header.readUInt32BE(36) === 0
    } finally {
      closeSync(fd)
    }
  }

  /** Gives every record that lies in the file whole. */
  *all(): Generator<Raw> {
    // The first page holds the schema.
    for (let number = 2; number <= this.#count; number++) {
      const page = this.#page(number)
      const inner = page[0] === INNER_INDEX
      if (!inner && page[0] !== LEAF_INDEX && page[0] !== LEAF_TABLE) continue
      const start = inner ? 12 : 8
      const cells = Math.min(page.readUInt16BE(3), (this.#usable - start) >> 1)
      for (let i = 0; i < cells; i++) {
        const raw = attempt(() => this.#cell(number, page, page.readUInt16BE(start + 2 * i)))
        if (raw) yield raw
      }
    }
  }

  /** Gives the record that `all` gave with this place. */
  at(place: number): Raw | undefined {
    const number = Math.floor(place / MAX_PAGE)
    return attempt(() => this.#cell(number, this.#page(number), place % MAX_PAGE))
  }

  #page(number: number): Buffer {
    if (number < 2 || number > this.#count) throw new Torn()
    const page = Buffer.alloc(this.#size)
    readSync(this.#fd, page, 0, this.#size, (number - 1) * this.#size)
    return page
  }

  #cell(number: number, page: Buffer, pointer: number): Raw {
    const kind = page[0]
    const isTable = kind === LEAF_TABLE
    const [length, at] = varint(page, kind === INNER_INDEX ? pointer + 4 : pointer)
    const [rowid, body] = isTable ? varint(page, at) : [undefined, at]
    const values = decode(this.#payload(page, body, length, isTable))
    return { place: number * MAX_PAGE + pointer, rowid, values }
  }

  /** What does not fit the page goes on in a chain of others. */
  #payload(page: Buffer, start: number, length: number, isTable: boolean): Buffer {
    const usable = this.#usable
    const most = isTable ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23
    const least = Math.floor(((usable - 12) * 32) / 255) - 23
    const fitting = least + ((length - least) % (usable - 4))
    const local = length <= most ? length : fitting <= most ? fitting : least
    if (length > this.#count * this.#size || start + local > usable) throw new Torn()
    const parts = [page.subarray(start, start + local)]
    let left = length - local
    if (left > 0 && start + local + 4 > usable) throw new Torn()
    let next = left > 0 ? page.readUInt32BE(start + local) : 0
    while (left > 0) {
      const more = this.#page(next)
      const size = Math.min(left, usable - 4)
      parts.push(more.subarray(4, 4 + size))
      left -= size
      next = more.readUInt32BE(0)
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof Torn || error instanceof RangeError) return undefined
    throw error
  }
}

/** Numbers beyond 2^53 are none of ours. */
function varint(bytes: Buffer, start: number): [value: number, next: number] {
  let value = 0
  for (let i = start; i < start + 8; i++) {
    const byte = bytes.readUInt8(i)
    value = value * 128 + (byte & 0x7f)
    if (value > Number.MAX_SAFE_INTEGER) throw new Torn()
    if (byte < 0x80) return [value, i + 1]
  }
  throw new Torn()
}

function decode(payload: Buffer): Cell[] {
  let [end, at] = varint(payload, 0)
  let start = end
  const values: Cell[] = []
  while (at < end) {
    const [type, next] = varint(payload, at)
    const size = sizeOf(type)
    if (start + size > payload.length) throw new Torn()
    values.push(cell(payload, start, type, size))
    start += size
    at = next
  }
  if (at !== end || start !== payload.length) throw new Torn()
  return values
}

const SIZES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2)
  const size = SIZES[type]
  if (size === undefined) throw new Torn()
  return size
}

function cell(payload: Buffer, start: number, type: number, size: number): Cell {
  if (type >= 12) {
    const bytes = payload.subarray(start, start + size)
    return type % 2 === 1 ? bytes.toString('utf8') : Uint8Array.from(bytes)
  }
  if (type === 0) return null
  if (type === 7) return payload.readDoubleBE(start)
  if (type >= 8) return type - 8
  if (type < 6) return payload.readIntBE(start, size)
  const value = Number(payload.readBigInt64BE(start))
  if (!Number.isSafeInteger(value)) throw new Torn()
  return value
}
