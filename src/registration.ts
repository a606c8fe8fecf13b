/** The record of a scorer that watches production: what it is, how to get it back, and how much of the traffic it sees. */

/** How a scorer is made again where it is needed: never from stored source text. */
export type ScorerRecipe =
  | {
      readonly kind: 'judge' | 'scorer'
      /** The name of a ready judge's or scorer's factory, such as `Safety` or `exactMatch`. */
      readonly factory: string
      /** What it was called with; plain data. */
      readonly options: Readonly<Record<string, unknown>>
    }
  | {
      readonly kind: 'module'
      /** From the root of the project, with forward slashes; absolute where it lies outside. */
      readonly module: string
      readonly export: string
      /** Of the module's text when it was registered: another one means that the scorer may have changed. */
      readonly digest: string
    }

/** Which traces a scorer sees. */
export interface ScorerSamplingConfig {
  /** From 0 to 1; 0 means stopped. */
  readonly sampleRate?: number
  /** In the language of `searchTraces`; only traces that fit are scored. */
  readonly filterString?: string | undefined
}

/** A version of a registered scorer. Its name is unique in its experiment; sampling belongs to the name, and the newest version is the one that runs. */
export interface Registration {
  /** Its number in the store. */
  readonly key: number
  readonly experiment: string
  readonly name: string
  /** From 1. */
  readonly version: number
  readonly recipe: ScorerRecipe
  /** What tells versions of the scorer apart: two registrations of one digest are one version. */
  readonly digest: string
  readonly level: 'trace' | 'session'
  readonly description?: string
  readonly aggregations?: readonly string[]
  /** Milliseconds since 1970. */
  readonly registeredAt: number
  /** 0 while it is stopped. */
  readonly sampleRate: number
  readonly filterString?: string
  /** When its rate went up from 0 last, milliseconds since 1970; missing where it never did. */
  readonly startedAt?: number
  readonly progress: ScorerProgress
}

/** What is to be registered: the store numbers it. */
export type RegistrationWrite = Omit<
  Registration,
  'key' | 'version' | 'sampleRate' | 'filterString' | 'startedAt' | 'progress' | 'registeredAt'
> & { readonly registeredAt: number }

/** How far a registered scorer has come. Counts are of traces, or of sessions for scorers of sessions, since it was registered. */
export interface ScorerProgress {
  /** Every arrival up to this place has been looked at: its low-water mark. */
  readonly position: number
  readonly examined: number
  readonly sampled: number
  /** Sampled, but not what its filter wants. */
  readonly unfit: number
  readonly scored: number
  /** Times that scoring failed, those that were tried again included. */
  readonly errors: number
  /** What its models cost, US dollars, as far as that is known. */
  readonly usd: number
  /** When something was scored last, milliseconds since 1970; 0 where nothing was. */
  readonly lastAt: number
}

/** A note of the monitor's own in the store: a backfill, an archive, a monitor that is running. */
export interface Note {
  readonly kind: 'backfill' | 'archival' | 'monitor'
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}
