import { didYouMean, quote } from './errors.ts'
import { CHECKS, type Check, type EvaluateOptions } from './options.ts'

/** What the plugin may be told, beside its own `include`. */
const SETTINGS = {
  ...pick(
    'maxConcurrency',
    'predictTimeoutMs',
    'scorerTimeoutMs',
    'retries',
    'minScored',
    'resume',
    'maxModelConcurrency',
  ),
  ...pick('experiment', 'cache', 'budget', 'prices', 'targetBranch', 'inconclusive'),
  gates: (value) => (value === false ? 'must be an object of metrics' : CHECKS.gates(value)),
  baseline: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a run or the name of a file'),
  store: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be the name of a file'),
  // It goes to other processes: nothing but text would arrive there.
  judgeModel: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be an address'),
  replay: (value) => {
    const { file, mode } = (typeof value === 'string' ? { file: value } : (value ?? {})) as Record<string, unknown>
    const fits =
      typeof file === 'string' && file !== '' && [undefined, 'replay', 'record', 'refresh'].includes(mode as string)
    return fits ? undefined : "must be a file, or { file, mode: 'replay', 'record' or 'refresh' }"
  },
} satisfies Record<string, Check>

function pick(...names: readonly (keyof EvaluateOptions)[]): Record<string, Check> {
  return Object.fromEntries(names.map((name) => [name, CHECKS[name]]))
}

/** @throws TypeError for an unknown option of the plugin, RangeError for a value that does not fit */
export function requireSettings(settings: object): void {
  const checks: Readonly<Record<string, Check>> = SETTINGS
  for (const [key, value] of Object.entries(settings)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined
    if (!check) {
      const known = [...Object.keys(checks), 'include']
      throw new TypeError(`Cannot set up vitest-evaluate: unknown option "${key}"${didYouMean(key, known)}`)
    }
    const problem = value === undefined ? undefined : check(value)
    if (problem) throw new RangeError(`Cannot set up vitest-evaluate: "${key}" ${problem}, received ${quote(value)}`)
  }
}
