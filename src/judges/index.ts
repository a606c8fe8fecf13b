import '../enrol.ts'
import '../supply.ts'

export type {
  Judge,
  JudgeArgs,
  JudgeChanges,
  JudgeErrorCode,
  JudgeOptions,
  MisjudgedCode,
  UnjudgedCode,
} from '../judge.ts'
export type { AnswerFields } from './answer.ts'
export { type AutoevalsOptions, type AutoevalsScore, type AutoevalsScorer, fromAutoevals } from './autoevals.ts'
export type { ToolCall } from './calls.ts'
export { CANARIES, type Canary, type CanaryReport, type CanaryResult, checkCanaries } from './canaries.ts'
export * from './catalogue.ts'
export type { CustomPromptJudge, CustomPromptJudgeOptions } from './custom.ts'
export {
  isContextRelevant,
  isContextSufficient,
  isCorrect,
  isGrounded,
  isSafe,
  isToolCallCorrect,
  isToolCallEfficient,
  meetsGuidelines,
} from './functions.ts'
export type { GuidelinesOptions } from './guidelines.ts'
export type { MakeJudgeOptions } from './make.ts'
export type { PairwiseJudgeOptions } from './pairwise.ts'
export type { PanelOptions } from './panel.ts'
export type { ToolCallCorrectnessOptions } from './tools.ts'
export type { FeedbackValueType, NumberRange } from './values.ts'
