import type { ModelUsage } from '../meter.ts'
import type { ModelPrice } from '../options.ts'

/** Prices by address (`openai:/gpt-4.1-mini`); what a user gives comes before what is known here. */
export type Prices = Readonly<Record<string, ModelPrice>>

/** When the table below was looked up. Prices change: give your own with the option `prices` where it matters. */
export const PRICES_DATE = '2026-06-21'

const table = (rows: string): Map<string, ModelPrice> =>
  new Map(
    rows
      .trim()
      .split('\n')
      .map((row) => {
        const [model = '', input, cachedInput, output] = row.trim().split(/\s+/)
        return [model, { input: Number(input), cachedInput: Number(cachedInput), output: Number(output) }]
      }),
  )

/** Standard rates for text: model, input, cached input, output. */
const PRICES: ReadonlyMap<string, ModelPrice> = table(`
  openai:/gpt-4.1        2      0.5     8
  openai:/gpt-4.1-mini   0.4    0.1     1.6
  openai:/gpt-4.1-nano   0.1    0.025   0.4
  openai:/gpt-4o         2.5    1.25    10
  openai:/gpt-4o-mini    0.15   0.075   0.6
  openai:/gpt-5          1.25   0.125   10
  openai:/gpt-5-mini     0.25   0.025   2
  openai:/gpt-5-nano     0.05   0.005   0.4
  openai:/gpt-5.1        1.25   0.125   10
  openai:/o3             2      0.5     8
  openai:/o3-mini        1.1    0.55    4.4
  openai:/o4-mini        1.1    0.275   4.4
`)

/** Where nobody is paid by the token. */
const FREE = /^(ollama|vllm|replay|function):\//

/** Gives the price of a model, or undefined where it is unknown. A dated snapshot costs what its model costs. */
export function priceOf(address: string, given: Prices = {}): ModelPrice | undefined {
  const undated = address.replace(/-\d{4}-\d{2}-\d{2}$/, '')
  for (const name of [address, undated]) {
    if (Object.hasOwn(given, name)) return given[name]
  }
  return PRICES.get(undated) ?? (FREE.test(address) ? { input: 0, output: 0 } : undefined)
}

/** Gives US dollars, or undefined where usage or price is unknown. */
export function costOf(usage: ModelUsage | undefined, price: ModelPrice | undefined): number | undefined {
  if (!usage || !price) return undefined
  const { inputTokens, outputTokens, cachedTokens = 0 } = usage
  const kept = Math.min(cachedTokens, inputTokens)
  const { input, output, cachedInput = input } = price
  return ((inputTokens - kept) * input + kept * cachedInput + outputTokens * output) / 1_000_000
}
