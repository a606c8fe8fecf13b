import { quote } from '../errors.ts'
import { currentModels } from '../model.ts'
import { canonical, decode, encode, sha256 } from '../std/json.ts'

/** What else tells one version of a function from another. */
export interface CachedOptions {
  /** Say another one when something has changed that the function's own text does not show: what it calls, a model, a prompt in a file. */
  readonly version?: string
}

/**
 * Keeps what a predict function answers beside the store, so that the same inputs are not paid for again. Goes by the inputs, the function's
 * name and text, and `version`; what the function calls cannot be seen. Failures are not kept. A kept answer has no spans of its own, and
 * its latency is that of the cache.
 *
 * @example
 * await evaluate(rows, cached(answer, { version: 'gpt-4.1-mini, prompt 3' }), scorers)
 * @throws TypeError for what is no function
 */
export function cached<Inputs, Context, Outputs>(
  predict: (inputs: Inputs, context: Context) => Outputs | Promise<Outputs>,
  { version = '' }: CachedOptions = {},
): (inputs: Inputs, context: Context) => Promise<Outputs> {
  if (typeof predict !== 'function') throw new TypeError(`Cannot keep answers of ${quote(predict)}: it is no function`)
  const source = sha256(String(predict))
  const kept = async (inputs: Inputs, context: Context): Promise<Outputs> => {
    const key = sha256(canonical(['predict', predict.name, source, version, inputs]))
    const make = async (): Promise<string> => encode(await predict(inputs, context), 'outputs')
    return decode(await (currentModels().keep?.(key, make) ?? make())) as Outputs
  }
  Object.defineProperty(kept, 'name', { value: predict.name })
  return kept
}
