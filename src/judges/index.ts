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
export { RetrievalRelevance } from './chunks.ts'
export { Completeness } from './completeness.ts'
export { Correctness } from './correctness.ts'
export { type CustomPromptJudge, type CustomPromptJudgeOptions, customPromptJudge } from './custom.ts'
export { Equivalence } from './equivalence.ts'
export { Fluency } from './fluency.ts'
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
export { ExpectationsGuidelines, Guidelines, type GuidelinesOptions } from './guidelines.ts'
export { type MakeJudgeOptions, makeJudge } from './make.ts'
export { type PairwiseJudgeOptions, pairwiseJudge } from './pairwise.ts'
export { type PanelOptions, panel } from './panel.ts'
export { RelevanceToQuery } from './relevance.ts'
export { RetrievalGroundedness, RetrievalSufficiency } from './retrieval.ts'
export { Safety } from './safety.ts'
export {
  ConversationalGuidelines,
  ConversationalRoleAdherence,
  ConversationalSafety,
  ConversationalToolCallEfficiency,
  ConversationCompleteness,
  KnowledgeRetention,
  UserFrustration,
} from './session.ts'
export { Summarization } from './summarization.ts'
export { ToolCallCorrectness, type ToolCallCorrectnessOptions, ToolCallEfficiency } from './tools.ts'
export type { FeedbackValueType, NumberRange } from './values.ts'
