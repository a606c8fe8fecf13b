import { around, surround } from './ambience.ts'
import type { Budget, MetricGates } from './gate.ts'
import type { Progress } from './handoff.ts'
import type { DefaultOptions, ModelBudget, ModelPrice } from './options.ts'
import type { RunRecord, RunTest } from './run.ts'

/** What surrounds an evaluation: under Vitest the current test, elsewhere nothing. */
export interface Host {
  readonly settings: Settings
  readonly test: RunTest
  readonly signal: AbortSignal
  /** Gives the run that an earlier attempt of the same test made under this name. */
  superseded(name: string): string | undefined
  /** Is told of every evaluation, so that none outlives its test unnoticed. */
  track(evaluation: Promise<unknown>): void
  /** Gives the name of an evaluation that was given none: the test's, with a number from the second on. */
  nextName(): string
  /** Is told of the data files before they are read. */
  reads(files: readonly string[]): void
  /** Is told of a store that was opened for it, so that it lets go of its file when the test file is over. */
  opened(store: { close(): Promise<void> }): void
  started(run: RunRecord, store: string): void
  progress(progress: Progress): void
  /** Hands the end of a run over, and makes the test fail, softly, for each of its problems. */
  ended(run: RunRecord, store: string): void
}

/** What the plugin or the reporter tells every worker: plain data. */
export interface Settings extends DefaultOptions {
  /** Vitest's root; paths are relative to it. */
  readonly root?: string
  readonly store?: string
  /** The store of all shards, where `store` is that of one: baselines are there. */
  readonly whole?: string
  readonly experiment?: string
  /** Gates of every run that has their column. */
  readonly gates?: Readonly<Record<string, MetricGates | Budget>>
  /** What runs are held against, where an evaluation names nothing itself. */
  readonly baseline?: string
  /** The branch that changes go into. */
  readonly targetBranch?: string
  readonly inconclusive?: 'warn' | 'fail'
  /** The address that judges ask which name no model. */
  readonly judgeModel?: string
  readonly cache?: boolean
  /** What all evaluations of one run of Vitest may spend together. */
  readonly budget?: number | ModelBudget
  readonly prices?: Readonly<Record<string, ModelPrice>>
  /** A file of recorded answers that stands for every model. */
  readonly replay?: string | { readonly file: string; readonly mode?: 'replay' | 'record' | 'refresh' }
  /** Tells one run of Vitest from another. */
  readonly session?: string
  /** Whether every test file evaluates: the store then makes ready while the file is loaded. */
  readonly evals?: boolean
  /** Whether anybody watches the progress. */
  readonly live?: boolean
}

export function currentHost(): Host | undefined {
  return around().host as Host | undefined
}

/** Runs a function so that every `evaluate` in it belongs to the host. */
export function withHost<T>(host: Host, fn: () => T): T {
  return surround({ ...around(), host }, fn)
}
