/** What makes judges: a registered judge is made again by one of these names. */

export { RetrievalRelevance } from './chunks.ts'
export { Completeness } from './completeness.ts'
export { Correctness } from './correctness.ts'
export { customPromptJudge } from './custom.ts'
export { Equivalence } from './equivalence.ts'
export { Fluency } from './fluency.ts'
export { ExpectationsGuidelines, Guidelines } from './guidelines.ts'
export { makeJudge } from './make.ts'
export { pairwiseJudge } from './pairwise.ts'
export { panel } from './panel.ts'
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
export { ToolCallCorrectness, ToolCallEfficiency } from './tools.ts'
