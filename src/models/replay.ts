import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { EvaluationError, messageOf, quote } from '../errors.ts'
import {
  type Model,
  type ModelAnswer,
  type ModelChoice,
  type ModelContext,
  ModelError,
  type ModelRequest,
} from '../model.ts'
import { canonical, sha256 } from '../std/json.ts'
import { clip } from '../std/text.ts'

/**
 * `replay`: only what is recorded. `record`: what is not recorded is asked, and added. `refresh`: everything is asked anew, and what comes
 * takes the place of what was recorded.
 */
export type ReplayMode = 'replay' | 'record' | 'refresh'

export const REPLAY_MODES: readonly ReplayMode[] = ['replay', 'record', 'refresh']

/** What else is done about a file of recorded answers. */
export interface ReplayOptions {
  /** The model to ask for what is not recorded. */
  readonly record?: ModelChoice
  /** @default 'record' where there is a model to ask, else 'replay' */
  readonly mode?: ReplayMode
}

/**
 * Makes a model that answers from a file, so that an evaluation runs without a key: in CI, and with the same answers every time. The file
 * is JSONL, one answer a line; several processes may add to it at once. It holds the prompts, so it belongs where their data may be.
 *
 * @example
 * Correctness({ model: replay('answers.jsonl', { record: 'openai:/gpt-4.1-mini' }) })
 * @throws TypeError for a mode that is none, and for one that needs a model where there is none
 */
export function replay(path: string, options: ReplayOptions = {}): ReplayModel {
  const { record, mode = record === undefined ? 'replay' : 'record' } = options
  const where = `Cannot replay ${quote(path)}`
  if (typeof path !== 'string' || path === '') throw new TypeError(`${where}: the path of a file is wanted`)
  if (!REPLAY_MODES.includes(mode))
    throw new TypeError(`${where}: "mode" must be ${REPLAY_MODES.join(', ')}, found ${quote(mode)}`)
  if (mode !== 'replay' && record === undefined)
    throw new TypeError(
      `${where}: the mode "${mode}" needs a model to ask\nHint: replay(path, { record: 'openai:/gpt-4.1-mini' })`,
    )
  return new ReplayModel(path, mode, record)
}

/** A model that answers from a file. */
export class ReplayModel implements Model {
  readonly path: string
  readonly mode: ReplayMode
  /** What it asks where it may. */
  readonly record: ModelChoice | undefined
  readonly #inner: Model | undefined
  readonly #root: string

  /** @param inner the model that `record` means @param root where a relative path starts */
  constructor(path: string, mode: ReplayMode, record?: ModelChoice, inner?: Model, root: string = process.cwd()) {
    this.path = path
    this.mode = mode
    this.record = record
    this.#inner = inner ?? (isModel(record) ? record : undefined)
    this.#root = root
  }

  /** Gives the same with the model that `record` means. */
  around(inner: Model | undefined, root: string): ReplayModel {
    return new ReplayModel(this.path, this.mode, this.record, inner, root)
  }

  get address(): string {
    return this.#inner?.address ?? `replay:/${this.path}`
  }

  /** Of the model that is replayed: what it answered is what counts, not where the answer was kept. */
  get identity(): Readonly<Record<string, string>> {
    return this.#inner?.identity ?? { provider: 'replay', file: this.path }
  }

  requireReady(): void {
    const recording = this.#recording()
    // What is recorded may be all that is wanted: then no key is.
    if (this.mode === 'refresh' || (this.mode === 'record' && recording.isEmpty)) this.#inner?.requireReady?.()
  }

  async generate(request: ModelRequest, context: ModelContext = {}): Promise<ModelAnswer> {
    const recording = this.#recording()
    const key = requestKey(request)
    const known = this.mode === 'refresh' ? undefined : recording.find(key, this.#inner?.address)
    if (known) return { ...known, cached: true }
    if (this.mode === 'replay') throw new ModelError('NOT_RECORDED', recording.missing(this.address, request))
    if (!this.#inner)
      throw new ModelError('NOT_RECORDED', `Cannot record ${this.path}: the model to ask is not known here`)
    const answer = await this.#inner.generate(request, context)
    recording.add(key, this.#inner.address, request, answer)
    return answer
  }

  #recording(): Recording {
    return recordingAt(resolve(this.#root, this.path), this.mode === 'replay')
  }
}

function isModel(choice: ModelChoice | undefined): choice is Model {
  return typeof (choice as Model | undefined)?.generate === 'function'
}

/** What of a request a recording goes by: everything that is sent. */
function asked({ messages, schema, tools, parameters, repeat = 0 }: ModelRequest): Record<string, unknown> {
  return {
    messages,
    ...(schema && { schema }),
    ...(tools?.length && { tools }),
    ...(parameters && Object.keys(parameters).length > 0 && { parameters }),
    ...(repeat > 0 && { repeat }),
  }
}

function requestKey(request: ModelRequest): string {
  return sha256(canonical(asked(request)))
}

interface Line {
  readonly key: string
  /** The address of the model that answered. */
  readonly model: string
  readonly request: Readonly<Record<string, any>>
  readonly answer: ModelAnswer
}

const recordings = new Map<string, Recording>()

/** One per file and process: it is read once. */
function recordingAt(path: string, mustExist: boolean): Recording {
  let recording = recordings.get(path)
  if (!recording) {
    if (mustExist && !existsSync(path)) {
      throw new EvaluationError('SOURCE_NOT_FOUND', `Cannot replay "${path}": there is no such file`, {
        hint: "record it first: replay(path, { record: 'openai:/gpt-4.1-mini' }), or VITEST_EVALUATE_REPLAY_MODE=record",
      })
    }
    recording = new Recording(path)
    recordings.set(path, recording)
  }
  return recording
}

class Recording {
  readonly #path: string
  readonly #lines = new Map<string, Line[]>()
  #torn = false

  constructor(path: string) {
    this.#path = path
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const lines = text.split('\n')
    // Whoever wrote the last line may have been killed before its end.
    this.#torn = lines.pop() !== ''
    for (const [i, line] of lines.entries()) if (line.trim() !== '') this.#keep(parsedLine(path, line, i + 1))
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  #keep(line: Line): void {
    const others = (this.#lines.get(line.key) ?? []).filter(({ model }) => model !== line.model)
    this.#lines.set(line.key, [line, ...others])
  }

  /** Of several models' answers to one request the asked model's, for nobody else's may pass for it; the latest where no model is named. */
  find(key: string, model: string | undefined): ModelAnswer | undefined {
    const lines = this.#lines.get(key) ?? []
    return (model === undefined ? lines[0] : lines.find((line) => line.model === model))?.answer
  }

  add(key: string, model: string, request: ModelRequest, answer: ModelAnswer): void {
    const line: Line = { key, model, request: asked(request), answer }
    this.#keep(line)
    mkdirSync(dirname(this.#path), { recursive: true })
    // One write at the end of the file: lines of several processes do not mix.
    appendFileSync(this.#path, `${this.#torn ? '\n' : ''}${JSON.stringify(line)}\n`)
    this.#torn = false
  }

  missing(address: string, request: ModelRequest): string {
    const all = [...this.#lines.values()].flat()
    const sentence = `Cannot replay ${address}: "${this.#path}" does not have the answer to this request`
    const others = (this.#lines.get(requestKey(request)) ?? []).map(({ model }) => model)
    const differs = others.length > 0 ? `it has that of ${others.join(', ')}` : nearestDifference(asked(request), all)
    return `${sentence}; ${differs}\nHint: record it with VITEST_EVALUATE_REPLAY_MODE=record, or replay(path, { record: model })`
  }
}

function parsedLine(path: string, text: string, number: number): Line {
  const where = `Cannot read "${path}" as recorded answers: line ${number}`
  let line: Partial<Line> | null
  try {
    line = JSON.parse(text)
  } catch (error) {
    throw new EvaluationError('SOURCE_MALFORMED', `${where} is not JSON (${messageOf(error)})`)
  }
  if (typeof line?.key !== 'string' || typeof line.answer?.text !== 'string' || !Array.isArray(line.request?.messages))
    throw new EvaluationError('SOURCE_MALFORMED', `${where} is no recorded answer`)
  return line as Line
}

/** Says in what the request differs from the recorded one that is most like it. */
function nearestDifference(request: Record<string, any>, lines: readonly Line[]): string {
  if (lines.length === 0) return 'it is empty'
  const text = wordsOf(request)
  let nearest = lines[0] as Line
  let most = -1
  for (const line of lines) {
    const same = commonStart(text, wordsOf(line.request))
    if (same > most) [nearest, most] = [line, same]
  }
  const other = nearest.request
  for (const part of ['parameters', 'schema', 'tools', 'repeat']) {
    if (canonical(request[part] ?? null) !== canonical(other[part] ?? null) && text === wordsOf(other))
      return `the nearest has other ${part}: recorded ${shown(other[part])}, asked ${shown(request[part])}`
  }
  const from = Math.max(0, most - 20)
  const excerpt = (words: string): string => quote(words.slice(from, most + 40))
  return `the nearest differs at character ${most + 1} of its messages: recorded ${excerpt(wordsOf(other))}, asked ${excerpt(text)}`
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : clip(canonical(value), 120)
}

function wordsOf({ messages }: Record<string, any>): string {
  return messages.map(({ role, content }: { role: string; content: string }) => `${role}: ${content}`).join('\n')
}

function commonStart(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  let i = 0
  while (i < end && a[i] === b[i]) i++
  return i
}
