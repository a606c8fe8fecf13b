import '../supply.ts'

export type { ModelUsage, UsageTotals } from '../meter.ts'
export {
  type FinishReason,
  type LanguageModel,
  type Model,
  type ModelAnswer,
  type ModelChoice,
  type ModelClient,
  type ModelContext,
  ModelError,
  type ModelErrorCode,
  type ModelErrorDetails,
  type ModelFunction,
  type ModelMessage,
  type ModelParameters,
  type ModelRequest,
  type ModelTool,
  type ModelToolCall,
} from '../model.ts'
export type { ModelBudget, ModelPrice } from '../options.ts'
export { type CachedOptions, cached } from './kept.ts'
export { type OpenAIOptions, openai } from './openai.ts'
export { PRICES_DATE, type Prices, priceOf } from './prices.ts'
export { type ReplayMode, ReplayModel, type ReplayOptions, replay } from './replay.ts'
