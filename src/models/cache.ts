import type { Model, ModelAnswer, ModelContext, ModelRequest } from '../model.ts'
import { nowMs, setTimer } from '../std/async.ts'
import { canonical, sha256 } from '../std/json.ts'
import type { SharedFile } from './file.ts'
import { wrapped } from './wrap.ts'

/** The table of `answers.sqlite`. */
export const ANSWERS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, size INTEGER NOT NULL, made REAL NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
`

/** How much is kept. */
export interface CacheLimits {
  /** Characters of all answers. @default 256,000,000 */
  readonly maxSize?: number | undefined
  /** Milliseconds since an answer was given. @default 30 days */
  readonly maxAgeMs?: number | undefined
}

const MAX_SIZE = 256_000_000
const MAX_AGE_MS = 30 * 86_400_000
const WRITE_MS = 20
/** Uses are noted this coarsely: a note costs a write. */
const USED_MS = 3_600_000
/** What is thrown away when there is too much, so that it is not done with every answer. */
const SHARE_KEPT = 0.9
const WRITES_PER_SWEEP = 1_000

/** Answers that have been paid for, on disk, shared by all processes that use the same file. Without a file it remembers what this process asked. */
export class AnswerCache {
  readonly #file: SharedFile
  readonly #maxSize: number
  readonly #maxAgeMs: number
  /** Not yet written, or never to be. */
  readonly #pending = new Map<string, { readonly text: string; readonly made: number }>()
  readonly #used = new Set<string>()
  readonly #flights = new Map<string, Promise<ModelAnswer>>()
  #timer: NodeJS.Timeout | undefined
  #writes = 0

  constructor(file: SharedFile, { maxSize = MAX_SIZE, maxAgeMs = MAX_AGE_MS }: CacheLimits = {}) {
    this.#file = file
    this.#maxSize = maxSize
    this.#maxAgeMs = maxAgeMs
  }

  get(key: string): ModelAnswer | undefined {
    const pending = this.#pending.get(key)
    if (pending) return JSON.parse(pending.text)
    const row = this.#file.get<Row>('SELECT answer, made, used FROM answers WHERE key = ?', key)
    const now = nowMs()
    if (!row || now - row.made > this.#maxAgeMs) return undefined
    if (now - row.used > USED_MS) {
      this.#used.add(key)
      this.#later()
    }
    return JSON.parse(row.answer)
  }

  set(key: string, answer: ModelAnswer): void {
    this.#pending.set(key, { text: JSON.stringify(answer), made: nowMs() })
    this.#later()
  }

  /** Asks, unless it is known or being asked: equal requests at the same time are one call. */
  async ask(key: string, request: ModelRequest, context: ModelContext, call: () => Promise<ModelAnswer>) {
    const known = this.get(key)
    if (known) return { ...known, cached: true }
    const flight = this.#flights.get(key)
    if (flight) {
      const shared = await unlessAborted(flight, context.signal)
      if (shared && isWorthKeeping(shared, request)) return { ...shared, cached: true }
      // What went wrong for another is tried once more for this one.
      return this.#call(key, request, call)
    }
    const own = this.#call(key, request, call)
    this.#flights.set(key, own)
    try {
      return await own
    } finally {
      this.#flights.delete(key)
    }
  }

  async #call(key: string, request: ModelRequest, call: () => Promise<ModelAnswer>): Promise<ModelAnswer> {
    const answer = await call()
    if (isWorthKeeping(answer, request)) this.set(key, answer)
    return answer
  }

  /** Writes what has not been written yet. */
  flush(): void {
    this.#timer = undefined
    if (this.#pending.size === 0 && this.#used.size === 0) return
    const now = nowMs()
    const written = this.#file.transaction((file) => {
      const insert = file.statement('INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)')
      for (const [key, { text, made }] of this.#pending) insert.run(key, text, text.length, made, now)
      const use = file.statement('UPDATE answers SET used = ? WHERE key = ?')
      for (const key of this.#used) use.run(now, key)
      if (this.#writes === 0 || this.#writes + this.#pending.size > WRITES_PER_SWEEP) this.#sweep(file, now)
      return true
    })
    if (!written) {
      // Another process holds the lock, or there is no file: then this process at least remembers.
      if (this.#file.isUsable) this.#later()
      return
    }
    this.#writes = (this.#writes % WRITES_PER_SWEEP) + this.#pending.size
    this.#pending.clear()
    this.#used.clear()
  }

  #sweep(file: SharedFile, now: number): void {
    file.statement('DELETE FROM answers WHERE made < ?').run(now - this.#maxAgeMs)
    const size = (): number => Number(file.statement('SELECT total(size) AS size FROM answers').get()?.size)
    if (size() <= this.#maxSize) return
    const oldest = file.statement(
      'DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used, made LIMIT max(1, (SELECT count(*) FROM answers) / 20))',
    )
    while (size() > this.#maxSize * SHARE_KEPT) if (Number(oldest.run().changes) === 0) break
  }

  #later(): void {
    if (this.#timer) return
    this.#timer = setTimer(() => this.flush(), WRITE_MS)
  }
}

interface Row {
  readonly answer: string
  readonly made: number
  readonly used: number
}

async function unlessAborted(
  flight: Promise<ModelAnswer>,
  signal: AbortSignal | undefined,
): Promise<ModelAnswer | undefined> {
  let onAbort = (): void => {}
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([flight.catch(() => undefined), aborted])
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Refused, cut off and empty answers are asked for again. */
function isWorthKeeping(answer: ModelAnswer, { accepts }: ModelRequest): boolean {
  const { finishReason, text, toolCalls } = answer
  const whole = finishReason === 'stop' ? text.trim() !== '' : finishReason === 'tool_calls' && toolCalls.length > 0
  return whole && (accepts?.(answer) ?? true)
}

/** Gives the digest of everything that can change an answer. */
export function answerKey(model: Pick<Model, 'identity'>, request: ModelRequest): string {
  const { messages, schema, tools, parameters, repeat, judge } = request
  // Parts of their own, so that nothing of one can pass for another's.
  return sha256(canonical([model.identity, messages, schema, tools, parameters, repeat ?? 0, judge ?? '']))
}

/** Wraps a model so that what it answered once is not asked again. */
export function cached(model: Model, cache: AnswerCache): Model {
  return wrapped(model, (request, context = {}) =>
    cache.ask(answerKey(model, request), request, context, () => model.generate(request, context)),
  )
}
