import type { Feedback, FeedbackInit } from './feedback.ts'
import type { ModelChoice, ModelErrorCode, ModelParameters } from './model.ts'
import type { Scorer, ScorerOptions } from './scorer.ts'
import type { Trace } from './trace.ts'

/** The contract of judges: scorers that ask a model. */

/** What every judge takes. */
export interface JudgeOptions extends Omit<ScorerOptions, 'level'> {
  /** The column's name. Needed where one list holds the same judge twice. */
  readonly name?: string
  /** An address such as `openai:/gpt-4.1-mini`, or a model. @default the judge model in force */
  readonly model?: ModelChoice
  /** Sampling parameters, sent with every call. */
  readonly parameters?: ModelParameters
  /**
   * Milliseconds for one verdict, all calls that it takes together; what takes longer is an error `TIMEOUT`. 0: no limit of its own.
   * @default the evaluation's `scorerTimeoutMs`
   */
  readonly timeoutMs?: number
}

/** What a judge is called with. Single-turn judges read the trace for what is left out: its root's inputs and outputs, its expectations. */
export interface JudgeArgs {
  readonly inputs?: unknown
  readonly outputs?: unknown
  readonly expectations?: Readonly<Record<string, unknown>> | null
  readonly trace?: Trace
  /** The traces of one conversation, for judges of sessions. */
  readonly session?: readonly Trace[]
  readonly signal?: AbortSignal
}

/**
 * A scorer that asks a model. It can be called by itself: `await Safety()({ outputs: '…' })` gives its Feedback. Whatever goes wrong with model or
 * row becomes an error in that Feedback, with a `JudgeErrorCode`.
 */
export interface Judge<Given extends Feedback | readonly Feedback[] = Feedback> extends Scorer {
  (args: JudgeArgs): Promise<Given>
  /** Whether it judges single traces or whole conversations. */
  readonly level: 'trace' | 'session'
  /** What it was told to ask; undefined for the judge model in force. */
  readonly model: ModelChoice | undefined
  readonly parameters: ModelParameters | undefined
  /** The explicit one, else a digest of prompt, settings and the model that it would ask now. */
  readonly version: string
  score(args: JudgeArgs): Promise<FeedbackInit | readonly FeedbackInit[]>
  /** Gives the same judge with other options, such as another model. */
  with(changes: JudgeChanges): Judge<Given>
  /** Throws where its model cannot be asked as things are: an unknown address, no key. Asks nobody. */
  requireReady(): void
}

/** What can be changed of a judge that is made. */
export interface JudgeChanges extends JudgeOptions {
  /** Which of several equal verdicts this is to be: with another number the model is asked again where a cache would have known. */
  readonly repeat?: number
}

/** Why the row gave a judge nothing to ask about. */
export type UnjudgedCode =
  | 'INPUTS_MISSING'
  | 'OUTPUTS_MISSING'
  | 'EXPECTATION_MISSING'
  | 'EXPECTATION_INVALID'
  | 'TRACE_MISSING'
  | 'SESSION_MISSING'
  | 'SPAN_MISSING'
  | 'DOCUMENTS_UNREADABLE'

/** Why an answer is no verdict. */
export type MisjudgedCode =
  | 'TRUNCATED'
  | 'REFUSED'
  | 'CONTENT_FILTERED'
  | 'UNFINISHED'
  | 'EMPTY'
  | 'NOT_JSON'
  | 'SCHEMA_MISMATCH'
  | 'OFF_MENU'
  | 'OUT_OF_RANGE'
  | 'TURNS_EXCEEDED'
  | 'TIE'

/** Why a judge's Feedback is an error; counted by column. */
export type JudgeErrorCode = UnjudgedCode | MisjudgedCode | ModelErrorCode

/** Tells judges from other scorers. */
export function isJudge(value: unknown): value is Judge<any> {
  const { requireReady, with: change } = (value ?? {}) as Partial<Record<'requireReady' | 'with', unknown>>
  return typeof value === 'function' && typeof requireReady === 'function' && typeof change === 'function'
}
