import type { Settings } from './host.ts'
import { type Models, noModels } from './model.ts'
import type { EvaluateOptions } from './options.ts'

/** Where an evaluation gets its models from. What knows models is loaded by whoever has a judge; most evaluations have none. */

/** Models that may have answers to write at the end. */
export interface EvaluationModels extends Models {
  flush(): void
}

/**
 * Makes the models of one evaluation.
 * @param store where the store lies; `memory` where nowhere
 * @throws EvaluationError CONFIG_INVALID for what the environment says wrongly
 */
export type Supplier = (
  options: EvaluateOptions,
  settings: Settings | undefined,
  store: string,
) => EvaluationModels & Required<Pick<Models, 'keep'>>

// On globalThis, because a test run may load this module twice: once for the app, once for the setup file.
const KEY = Symbol.for('vitest-evaluate.supplier')
const holder = globalThis as { [KEY]?: Supplier }

/** Sets what makes the models of evaluations. */
export function setSupplier(supplier: Supplier): void {
  holder[KEY] = supplier
}

/**
 * Gives the models of an evaluation: at once where they are known, so that wrong settings are found out before anything is paid for, else when the
 * first is asked for.
 */
export function modelsFor(...evaluation: Parameters<Supplier>): EvaluationModels {
  let made = holder[KEY]?.(...evaluation)
  const models = (): ReturnType<Supplier> => {
    if (!holder[KEY]) throw noModels()
    made ??= holder[KEY](...evaluation)
    return made
  }
  return {
    resolve: (choice) => models().resolve(choice),
    keep: (key, make) => models().keep(key, make),
    flush: () => made?.flush(),
  }
}
