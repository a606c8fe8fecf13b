import { EvaluationError } from './errors.ts'
import type { Store } from './store.ts'

/** The life cycle of scorers that watch production: what every scorer can do, whichever store keeps it. */

/**
 * Where a scorer stands. `UNREGISTERED`: no store knows it. `REGISTERED`: one does, and it has never been started. `ACTIVE`: it scores a share of what arrives.
 * `STOPPED`: it has been started, and its rate is 0 now. `DELETED`: its registration is gone.
 */
export type ScorerStatus = 'UNREGISTERED' | 'REGISTERED' | 'ACTIVE' | 'STOPPED' | 'DELETED'

/** Which traces a registered scorer sees. */
export interface SamplingConfig {
  /** The share of traces (for scorers of level `session`: of sessions), from 0 to 1; 0 means stopped. */
  readonly sampleRate?: number | undefined
  /** Only traces that fit are scored; in the language of `searchTraces`. `null` takes the filter away, what is left out leaves it as it is. */
  readonly filterString?: string | null | undefined
}

/** Where registered scorers are. */
export interface RegistryOptions {
  /** @default the experiment in force */
  readonly experiment?: string
  /** @default as for `evaluate` */
  readonly store?: string | Store
}

/** How a scorer is registered. */
export interface RegisterOptions extends RegistryOptions {
  /** Its name from then on, unique in the experiment: another scorer under a name that is taken is a new version of it. @default its own name */
  readonly name?: string
  /** The module that exports it, `import.meta.url` or a path: needed for whatever is made of code. */
  readonly module?: string | URL
  /** The name under which that module exports it. */
  readonly export?: string
}

/** Which registration is meant, where it is not the instance's own: the scorer is then the one that `getScorer()` would give. */
export interface ScorerPlace {
  readonly name?: string
  readonly experiment?: string
}

/** How a scorer is started or changed. */
export interface SamplingOptions extends ScorerPlace {
  readonly samplingConfig: SamplingConfig
}

/** What a registered scorer knows of itself. */
export interface Registered {
  /** The share of traces that it sees; 0 while it is not active. */
  readonly sampleRate: number
  readonly filterString: string | undefined
  readonly status: ScorerStatus
  readonly experiment: string
  /** Its number among the versions of its name, from 1; `version` is the digest that tells whether scored cells may be reused. */
  readonly registeredVersion: number
}

/** The methods of the life cycle. Each gives a new instance; the one that it was called on never changes. */
export abstract class LifeCycle<Instance extends Registered> {
  /** The share of traces that it sees; undefined while it is not registered. */
  declare readonly sampleRate?: number | undefined
  declare readonly filterString?: string | undefined
  declare readonly status: ScorerStatus

  /**
   * Makes the scorer known to a store under a name, not yet active. Ready judges and scorers, and judges made from plain data, are kept as what they were made with;
   * whatever is code as module and export, never as source text. The same scorer under the same name again changes nothing; another one is a new version of it, which
   * runs from then on with the sampling of the name.
   *
   * @example
   * await Safety().register({ name: 'safety_check' })
   * await concise.register({ module: import.meta.url, export: 'concise' })
   * @throws TypeError for code without a module, and for options that do not fit
   * @throws EvaluationError MODULE_NOT_FOUND, STORE_…
   */
  async register(options: RegisterOptions = {}): Promise<Instance> {
    return (await registrar()).register(this, options) as Promise<Instance>
  }

  /**
   * Makes it score a share of what arrives from now on; what came before is for a backfill.
   * @param options `sampleRate` is 1 unless it is given
   * @throws TypeError where it is not registered; RangeError for a rate that is not above 0 and at most 1
   * @throws EvaluationError FILTER_INVALID with the position; SCORER_NOT_FOUND where its registration is gone; STORE_…
   */
  async start(options: SamplingOptions): Promise<Instance> {
    return (await registrar()).start(this, options) as Promise<Instance>
  }

  /**
   * Changes rate, filter or both; a rate of 0 stops it, one above 0 starts what is stopped.
   * @throws as `start`; TypeError where neither is given
   */
  async update(options: SamplingOptions): Promise<Instance> {
    return (await registrar()).update(this, options) as Promise<Instance>
  }

  /** Stops it: rate 0. Its registration and its filter stay. @throws as `start` */
  async stop(place: ScorerPlace = {}): Promise<Instance> {
    return (await registrar()).stop(this, place) as Promise<Instance>
  }

  /** Removes all versions of its registration, with work that is not done yet; what they have said of traces stays. @throws as `start` */
  async delete(place: ScorerPlace = {}): Promise<Instance> {
    return (await registrar()).delete(this, place) as Promise<Instance>
  }
}

Object.defineProperty(LifeCycle.prototype, 'status', { value: 'UNREGISTERED', writable: true, configurable: true })

/** Gives a scorer that is a function the methods of the life cycle, where neither a digest nor a copy of its fields sees them. */
export function withLifeCycle<T extends object>(made: T): T {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(LifeCycle.prototype)
  return Object.defineProperties(made, methods)
}

/** What a scorer was made from, for whoever has to make it again. */
export interface Origin {
  /** `code`: it cannot be made again but by its module. */
  readonly kind: 'judge' | 'scorer' | 'code'
  readonly factory?: string
  /** What the factory was called with. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Tells versions apart, whichever model is in force and however the module was loaded; missing where only the module's text can. */
  readonly digest?: string
}

// A name and not a module's own symbol, because a test run may load this module twice.
const ORIGIN = Symbol.for('vitest-evaluate.origin')

export function setOrigin<T extends object>(made: T, origin: Origin): T {
  return Object.defineProperty(made, ORIGIN, { value: origin, configurable: true })
}

export function originOf(scorer: object): Origin | undefined {
  return (scorer as { [ORIGIN]?: Origin })[ORIGIN]
}

/** What does the work: it knows stores, which scorers do not. */
export interface Registrar {
  register(scorer: object, options: RegisterOptions): Promise<unknown>
  start(scorer: object, options: SamplingOptions): Promise<unknown>
  update(scorer: object, options: SamplingOptions): Promise<unknown>
  stop(scorer: object, place: ScorerPlace): Promise<unknown>
  delete(scorer: object, place: ScorerPlace): Promise<unknown>
}

const KEY = Symbol.for('vitest-evaluate.registrar')
const holder = globalThis as { [KEY]?: () => Promise<Registrar> }

/** Sets what registers scorers; loaded on first use. */
export function setRegistrar(load: () => Promise<Registrar>): void {
  holder[KEY] = load
}

async function registrar(): Promise<Registrar> {
  const load = holder[KEY]
  if (load) return load()
  throw new EvaluationError('CONFIG_INVALID', 'Cannot register a scorer: nothing that knows stores has been imported', {
    hint: "import from 'vitest-evaluate' or 'vitest-evaluate/monitor'",
  })
}
