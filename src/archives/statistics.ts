import type { Cells } from './columns.ts'

/** What the log says of the values of a data file, so that readers need not open those they do not want. */

const COLUMNS = ['trace_id', 'version', 'archived_at', 'experiment', 'status', 'request_time', 'duration_ms'] as const
const TIMES: ReadonlySet<string> = new Set(['archived_at', 'request_time'])
/** Longer texts are no bounds that anybody looks for. */
const MAX_TEXT = 64

type Value = string | number | bigint

export class Statistics {
  #rows = 0
  readonly #bounds = new Map<string, { min: Value; max: Value }>()
  readonly #nulls = new Map<string, number>(COLUMNS.map((name) => [name, 0]))
  readonly #unbounded = new Set<string>()

  add(cells: Cells): void {
    this.#rows++
    for (const name of COLUMNS) {
      const value = cells[name] as Value | undefined
      if (value === undefined) this.#nulls.set(name, (this.#nulls.get(name) ?? 0) + 1)
      else if (typeof value === 'string' && (value.length > MAX_TEXT || !/^[\x20-\x7e]*$/.test(value))) {
        // Whoever compares other texts may do it by bytes, by code points or by UTF-16.
        this.#unbounded.add(name)
      } else if (Number.isNaN(value)) this.#unbounded.add(name)
      else {
        const bounds = this.#bounds.get(name)
        if (!bounds) this.#bounds.set(name, { min: value, max: value })
        else if (value < bounds.min) bounds.min = value
        else if (value > bounds.max) bounds.max = value
      }
    }
  }

  /** Gives the JSON of an `add` action's `stats`. */
  text(): string {
    const bounds = [...this.#bounds].filter(([name]) => !this.#unbounded.has(name))
    return JSON.stringify({
      numRecords: this.#rows,
      minValues: Object.fromEntries(bounds.flatMap(([name, { min }]) => entry(name, min, 0n))),
      maxValues: Object.fromEntries(bounds.flatMap(([name, { max }]) => entry(name, max, 999n))),
      nullCount: Object.fromEntries(this.#nulls),
    })
  }
}

/** Some readers take times of statistics as whole milliseconds: they are rounded outwards. */
function entry(name: string, value: Value, up: bigint): [string, Value][] {
  if (!TIMES.has(name)) return [[name, typeof value === 'bigint' ? Number(value) : value]]
  const micros = (value as bigint) + up
  const ms = Number((micros - (((micros % 1_000n) + 1_000n) % 1_000n)) / 1_000n)
  const year = new Date(ms).getUTCFullYear()
  // Beyond these there are no four digits, or no date at all.
  return year >= 0 && year <= 9_999 ? [[name, new Date(ms).toISOString()]] : []
}
