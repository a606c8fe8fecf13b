import { didYouMean, messageOf, quote } from '../errors.ts'
import type { AssessmentSource, Feedback, FeedbackInit, Primitive } from '../feedback.ts'
import type { Judge, JudgeArgs, JudgeChanges, JudgeErrorCode, JudgeOptions } from '../judge.ts'
import { setOrigin, withLifeCycle } from '../lifecycle.ts'
import { currentModels, type Model, ModelError, type ModelMessage, type ModelParameters } from '../model.ts'
import { scorer } from '../scorer.ts'
import { clearTimer, setTimer } from '../std/async.ts'
import { canonical, sha256 } from '../std/json.ts'
import { type AnswerForm, answerForm, answerText } from './answer.ts'
import { type Asked, type Asker, askVerdict, Misjudged } from './ask.ts'
import { type Blocks, blockRule, blocksOf, type Field } from './block.ts'
import { conversationOnly, filled, Unjudged } from './fields.ts'
import { type Domain, YES_NO } from './values.ts'

/** Making judges: what all of them have besides their prompts. */

/** To be raised whenever equal settings begin to ask differently: finished cells are then no longer reused. */
const REVISION = 1

/** What tells one kind of judge from another. */
export interface JudgeKind<Given> {
  /** The column's name unless the options say otherwise. */
  readonly name: string
  readonly level?: 'trace' | 'session'
  /** Everything that changes a verdict besides model and parameters: prompt, form, settings. Plain data. */
  readonly digest: unknown
  /** What its factory was called with besides what every judge takes: with it, the judge can be made again. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Whether it takes its arguments as they are, instead of what the trace says about the row. @default false for judges of single traces */
  readonly asGiven?: boolean
  /** Whether a model is ever asked. @default true */
  readonly asks?: boolean
  /** Judges that are asked instead of a model. */
  readonly members?: readonly Judge[]
  /** Names of all columns beside its own, for errors: where the judge fails, they have no value either. */
  readonly columns?: readonly string[]
  readonly judge: (args: JudgeArgs, asker: Asker, name: string) => Promise<Given>
}

/**
 * Makes a judge.
 * @throws TypeError, RangeError for options that do not fit
 */
export function makeKind<Given extends FeedbackInit | readonly FeedbackInit[]>(
  factory: string,
  given: JudgeChanges | undefined,
  kind: JudgeKind<Given>,
): Judge<Given extends readonly unknown[] ? readonly Feedback[] : Feedback> {
  const { model, parameters, repeat, version: stated, ...rest } = requireJudgeOptions(factory, given)
  const options = { ...rest, name: rest.name ?? kind.name }
  // Checks name, description, aggregations, time and version, and says it as for any scorer.
  scorer({ ...options, ...(stated !== undefined && { version: stated }) }, () => null)
  const digest = sha256(canonical([factory, REVISION, kind.digest, parameters ?? null])).slice(0, 16)
  const asks = kind.asks !== false && !kind.members
  const resolve = (): Model => currentModels().resolve(model)
  const score = async (args: JudgeArgs): Promise<FeedbackInit | readonly FeedbackInit[]> => {
    const asked = asks ? resolve() : NOBODY
    const source: AssessmentSource = asks || kind.members ? { type: 'LLM_JUDGE', id: asked.address } : BY_CODE
    const failed = (thrown: unknown) => failure(thrown, source, options.name, kind.columns)
    return within(options.timeoutMs ?? 0, args.signal, failed, async (signal) => {
      const parts = kind.asGiven ? args : kind.level === 'session' ? conversationOnly(args) : filled(args)
      const { name, timeoutMs } = options
      const asker = { model: asked, parameters, signal, judge: stated ?? digest, repeat, timeoutMs }
      const made = await kind.judge(parts, asker, name)
      const sourced = ({ metadata, ...init }: FeedbackInit): FeedbackInit => ({
        source,
        ...init,
        ...(metadata && Object.keys(metadata).length > 0 && { metadata }),
      })
      return Array.isArray(made) ? made.map(sourced) : sourced(made as FeedbackInit)
    })
  }
  const judge = async (args: JudgeArgs) => {
    const made = await score(args ?? {})
    return Array.isArray(made) ? made.map((one) => named(one, options.name)) : named(made as FeedbackInit, options.name)
  }
  const properties = {
    ...options,
    level: kind.level ?? 'trace',
    model,
    parameters,
    score,
    with: (changes: JudgeChanges) => makeKind(factory, { ...given, ...changes }, kind),
    requireReady: () => {
      if (asks) resolve().requireReady?.()
      for (const member of kind.members ?? []) member.requireReady()
    },
  }
  for (const [key, value] of Object.entries(properties)) Object.defineProperty(judge, key, { value, enumerable: true })
  const version = (): string => {
    if (stated !== undefined) return stated
    if (kind.members) return sha256(canonical([digest, kind.members.map((member) => member.version)])).slice(0, 16)
    return asks ? withModel(digest, resolve) : digest
  }
  Object.defineProperty(judge, 'version', { get: version, enumerable: true })
  setOrigin(judge, { kind: 'judge', factory, options: { ...given, ...kind.own }, digest: stated ?? digest })
  return withLifeCycle(judge) as unknown as ReturnType<typeof makeKind<Given>>
}

const OPTIONS: readonly string[] = [
  'name',
  'description',
  'aggregations',
  'timeoutMs',
  'version',
  'model',
  'parameters',
  'repeat',
]
const PARAMETERS: Readonly<Record<keyof ModelParameters, 'number' | 'string'>> = {
  temperature: 'number',
  topP: 'number',
  maxTokens: 'number',
  seed: 'number',
  reasoningEffort: 'string',
}

function requireJudgeOptions(factory: string, options: JudgeChanges = {}): JudgeChanges {
  const where = `Cannot make ${factory}()`
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`${where}: options must be an object, found ${quote(options)}`)
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [key] of entries) {
    if (!OPTIONS.includes(key)) throw new TypeError(`${where}: unknown option "${key}"${didYouMean(key, OPTIONS)}`)
  }
  const { name, parameters } = options
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw new TypeError(`${where}: "name" must be a string that is not empty, found ${quote(name)}`)
  if (parameters !== undefined) requireParameters(where, parameters)
  return Object.fromEntries(entries)
}

function requireParameters(where: string, parameters: ModelParameters): void {
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    throw new TypeError(`${where}: "parameters" must be an object, found ${quote(parameters)}`)
  for (const [key, value] of Object.entries(parameters)) {
    const type = Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key as keyof ModelParameters] : undefined
    if (!type) throw new TypeError(`${where}: unknown parameter "${key}"${didYouMean(key, Object.keys(PARAMETERS))}`)
    if (value !== undefined && (typeof value !== type || (type === 'number' && !Number.isFinite(value))))
      throw new TypeError(`${where}: parameter "${key}" must be a ${type}, found ${quote(value)}`)
  }
}

/** Stands in where a judge compares in code, or asks other judges. */
const NOBODY: Model = {
  address: 'panel',
  identity: {},
  generate: () => Promise.reject(new ModelError('MODEL_THREW', 'this judge asks no model itself')),
}

/** Outside of any evaluation nothing may say which model would be asked. */
function withModel(digest: string, resolve: () => Model): string {
  try {
    const { address, identity } = resolve()
    return sha256(canonical([digest, address, identity])).slice(0, 16)
  } catch {
    return digest
  }
}

function named(init: FeedbackInit, name: string): Feedback {
  return { ...init, name: init.name ?? name } as Feedback
}

/** Runs a judgement within its time; what it throws about model or row becomes Feedback. */
async function within<T>(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  failed: (thrown: unknown) => T,
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (timeoutMs <= 0) return run(outer).catch(failed)
  const controller = new AbortController()
  const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal
  const late = new ModelError('TIMEOUT', `there was no verdict within ${timeoutMs} ms`)
  let timer: NodeJS.Timeout | undefined
  // A little early: an evaluation watches the same time, and knows less about what was late.
  const deadline = new Promise<T>((resolve) => {
    timer = setTimer(
      () => {
        resolve(failed(late))
        controller.abort(late)
      },
      timeoutMs - Math.min(50, timeoutMs / 10),
    )
  })
  try {
    return await Promise.race([run(signal).catch(failed), deadline])
  } finally {
    clearTimer(timer)
  }
}

/** @throws whatever says nothing about this row and model: a judge's own mistake, an abort */
function failure(thrown: unknown, source: AssessmentSource, name: string, columns: readonly string[] = []): any {
  const known = thrown instanceof ModelError || thrown instanceof Misjudged || thrown instanceof Unjudged
  if (!known || thrown.code === 'ABORTED') throw thrown
  const code: JudgeErrorCode = thrown.code
  const metadata = thrown instanceof Misjudged && thrown.answer !== '' ? { answer: thrown.answer } : undefined
  const one: FeedbackInit = { source, error: { code, message: messageOf(thrown) }, ...(metadata && { metadata }) }
  return columns.length === 0 ? one : [one, ...columns.map((column) => ({ ...one, name: `${name}/${column}` }))]
}

/** What a judge of one question is made of. */
export interface Question {
  readonly name: string
  /** What is asked, in words; names the fields. */
  readonly task: string
  /** @default yes or no */
  readonly domain?: Domain
  readonly level?: 'trace' | 'session'
  /** As in `JudgeKind`. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Settings that change verdicts and do not stand in the task. */
  readonly config?: unknown
  /** Whether a model is ever asked. @default true */
  readonly asks?: boolean
  /** Picks what is shown. @throws Unjudged where the row lacks it */
  readonly fields: (args: JudgeArgs) => readonly Field[]
  /** Gives the verdict where code suffices. */
  readonly settle?: (args: JudgeArgs, fields: readonly Field[]) => FeedbackInit | undefined
  /** What belongs on the Feedback beside the verdict. */
  readonly about?: (args: JudgeArgs) => Pick<FeedbackInit, 'spanId' | 'metadata'>
}

/** Makes a judge of one question. */
export function readyJudge(factory: string, options: JudgeOptions | undefined, question: Question): Judge {
  const form = answerForm(question.domain ?? YES_NO)
  return makeKind<FeedbackInit>(factory, options, {
    ...question,
    digest: [question.task, form, question.config ?? null],
    judge: async (args, asker) => {
      const fields = question.fields(args)
      const settled = question.settle?.(args, fields)
      if (settled) return settled
      const about = question.about?.(args)
      const verdict = await askAbout(question.task, fields, form, asker)
      return { ...about, ...verdict, metadata: { ...about?.metadata, ...verdict.metadata } }
    },
  })
}

const BY_CODE: AssessmentSource = { type: 'CODE', id: 'vitest-evaluate' }

/** Gives the Feedback of a verdict that code gave. */
export function byCode(value: string, rationale: string): FeedbackInit {
  return { value, rationale, source: BY_CODE }
}

/** Shows fields, asks for a verdict, and gives it as Feedback. */
export async function askAbout(
  task: string,
  fields: readonly Field[],
  form: AnswerForm,
  asker: Asker,
): Promise<FeedbackInit & { readonly metadata: Record<string, Primitive> }> {
  const blocks = blocksOf(task, fields)
  const asked = await askVerdict(promptOf(task, blocks, form), form, asker)
  return feedbackOf(asked, blocks)
}

/** Gives a verdict as Feedback; what was unusual about it stands in the metadata. */
export function feedbackOf({ value, rationale, attempts }: Asked, { lookalikes }: Pick<Blocks, 'lookalikes'>) {
  const metadata = { ...(attempts > 1 && { attempts }), ...(lookalikes > 0 && { lookalikes }) }
  return { value, rationale, metadata: metadata as Record<string, Primitive> }
}

/** The rules come first, the material after them, and what has to be done at the end, where it cannot be talked over. */
export function promptOf(task: string, blocks: Blocks, form: AnswerForm, closing = CLOSING): ModelMessage[] {
  return [
    { role: 'system', content: [PERSON, task, blockRule(blocks.tag), answerText(form)].join('\n\n') },
    { role: 'user', content: [blocks.all, closing].filter(Boolean).join('\n\n') },
  ]
}

const CLOSING = 'This was the material. Judge it by your task, first the reasons, then the verdict.'
const PERSON =
  'You judge the work of an AI application. You are careful and impartial, and you say briefly what your verdict rests on.'
