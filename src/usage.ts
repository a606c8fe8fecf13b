import { numberAt, type Path, textAt } from './attributes.ts'
import type { Span } from './span.ts'

/** What a call of a model used, in one form, whoever recorded it. */
export interface Usage {
  /** The model that answered, else the one that was asked. */
  readonly model?: string
  readonly provider?: string
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** As stated, else the sum of both. */
  readonly totalTokens?: number
  /** Input tokens that were read from a cache; part of `inputTokens`. */
  readonly cachedTokens?: number
  /** Input tokens that were written to a cache. */
  readonly cacheWriteTokens?: number
  /** Output tokens that were spent on reasoning; part of `outputTokens`. */
  readonly reasoningTokens?: number
  /** In US dollars, where the instrumentation states it. */
  readonly cost?: number
}

const TEXTS: Readonly<Record<'model' | 'provider', readonly Path[]>> = {
  model: [
    'model',
    'gen_ai.response.model',
    'ai.response.model',
    'llm.response.model_name',
    'mlflow.llm.model',
    'llm.model_name',
    'embedding.model_name',
    'reranker.model_name',
    'gen_ai.request.model',
    'ai.model.id',
    'llm.request.model_name',
    'langfuse.observation.model.name',
  ],
  provider: [
    'provider',
    'gen_ai.provider.name',
    'gen_ai.system',
    'mlflow.llm.provider',
    'llm.provider',
    'llm.system',
    'ai.model.provider',
  ],
}

type Count = Exclude<keyof Usage, 'model' | 'provider'>

const counts = (own: string, mlflow: string, ...others: Path[]): Path[] => [
  own,
  ['mlflow.chat.tokenUsage', mlflow],
  ...others,
]

const NUMBERS: Readonly<Record<Count, readonly Path[]>> = {
  inputTokens: counts(
    'inputTokens',
    'input_tokens',
    'gen_ai.usage.input_tokens',
    'llm.token_count.prompt',
    'ai.usage.inputTokens',
    'ai.usage.promptTokens',
    'ai.usage.tokens',
    'gen_ai.usage.prompt_tokens',
    'llm.usage.prompt_tokens',
    ['langfuse.observation.usage_details', 'input'],
  ),
  outputTokens: counts(
    'outputTokens',
    'output_tokens',
    'gen_ai.usage.output_tokens',
    'llm.token_count.completion',
    'ai.usage.outputTokens',
    'ai.usage.completionTokens',
    'gen_ai.usage.completion_tokens',
    'llm.usage.completion_tokens',
    ['langfuse.observation.usage_details', 'output'],
  ),
  totalTokens: counts(
    'totalTokens',
    'total_tokens',
    'gen_ai.usage.total_tokens',
    'llm.token_count.total',
    'ai.usage.totalTokens',
    'llm.usage.total_tokens',
    ['langfuse.observation.usage_details', 'total'],
  ),
  cachedTokens: counts(
    'cachedTokens',
    'cache_read_input_tokens',
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'llm.token_count.prompt_details.cache_read',
    'ai.usage.cachedInputTokens',
    'ai.usage.inputTokenDetails.cacheReadTokens',
    ['langfuse.observation.usage_details', 'input_cached_tokens'],
  ),
  cacheWriteTokens: counts(
    'cacheWriteTokens',
    'cache_creation_input_tokens',
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_write.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
    'llm.token_count.prompt_details.cache_write',
    'ai.usage.inputTokenDetails.cacheWriteTokens',
  ),
  reasoningTokens: [
    'reasoningTokens',
    'gen_ai.usage.reasoning.output_tokens',
    'gen_ai.usage.reasoning_tokens',
    'llm.token_count.completion_details.reasoning',
    'ai.usage.reasoningTokens',
    'ai.usage.outputTokenDetails.reasoningTokens',
    ['langfuse.observation.usage_details', 'output_reasoning_tokens'],
  ],
  cost: [
    'cost',
    ['mlflow.llm.cost', 'total_cost'],
    'llm.cost.total',
    'gen_ai.usage.cost',
    ['langfuse.observation.cost_details', 'total'],
  ],
}

/** Gives what a span says of model, tokens and cost; undefined when it says nothing of them. */
export function usageOf({ attributes }: Pick<Span, 'attributes'>): Usage | undefined {
  if (Object.keys(attributes).length === 0) return undefined
  const usage: { -readonly [Key in keyof Usage]: Usage[Key] } = {}
  for (const [field, paths] of Object.entries(TEXTS) as [keyof typeof TEXTS, readonly Path[]][]) {
    const text = textAt(attributes, paths)
    if (text !== undefined) usage[field] = text
  }
  for (const [field, paths] of Object.entries(NUMBERS) as [Count, readonly Path[]][]) {
    const number = numberAt(attributes, paths)
    if (number !== undefined) usage[field] = number
  }
  const { inputTokens, outputTokens } = usage
  if (usage.totalTokens === undefined && (inputTokens !== undefined || outputTokens !== undefined)) {
    usage.totalTokens = (inputTokens ?? 0) + (outputTokens ?? 0)
  }
  return Object.keys(usage).length === 0 ? undefined : usage
}

/** Sums over a trace; a field is missing where no span states it. */
export type TraceUsage = Pick<Usage, Count>

/**
 * Adds up what the spans of a trace used. A span that sums up its descendants' usage, as the outer call of an agent does, is not counted
 * again: for each figure only the innermost spans that state it count.
 */
export function usageTotals(spans: readonly Span[]): TraceUsage {
  const parents = new Map(spans.map(({ id, parentId }) => [id, parentId]))
  const stated = spans.flatMap((span) => {
    const usage = usageOf(span)
    return usage ? [{ id: span.id, usage }] : []
  })
  const totals: { -readonly [Key in Count]?: number } = {}
  for (const field of Object.keys(NUMBERS) as Count[]) {
    const having = stated.filter(({ usage }) => usage[field] !== undefined)
    const outer = new Set<string>()
    for (const { id } of having) {
      let above = parents.get(id)
      // Whose ancestors are marked is marked all the way up, which also ends cycles.
      for (; above !== undefined && !outer.has(above); above = parents.get(above)) outer.add(above)
    }
    for (const { id, usage } of having) {
      if (!outer.has(id)) totals[field] = (totals[field] ?? 0) + (usage[field] as number)
    }
  }
  return totals
}
