import { dirname, join, resolve } from 'node:path'
import type { Reporter, TestCase, TestModule, TestSpecification, Vitest } from 'vitest/node'
import { copyRun } from '../src/copy.ts'
import { EvaluationError } from '../src/errors.ts'
import { HANDOFF_KEY, type Handoff, PROGRESS, type ProgressArtifact } from '../src/handoff.ts'
import type { Settings } from '../src/host.ts'
import type { Screen } from '../src/reporter.ts'
import { DEFAULT_STORE, type Store } from '../src/store.ts'
import { sqlite } from '../src/stores/sqlite.ts'
import { Live, reportersOf } from './live.ts'
import { gather } from './report.ts'

/** What the reporter passes on to every evaluation. */
export type ReporterOptions = Omit<Settings, 'root' | 'live'>

const MARK = Symbol.for('vitest-evaluate/reporter')

/** True for an instance of this reporter, whichever copy of the module made it. */
export function isOurs(reporter: unknown): boolean {
  return typeof reporter === 'object' && reporter !== null && MARK in reporter
}

/**
 * Prints a table per evaluation after the run, and progress while it goes on. The only file that speaks Vitest's reporter protocol.
 *
 * @example
 * reporters: ['default', 'vitest-evaluate/reporter']
 */
export default class VitestEvaluateReporter implements Reporter {
  readonly [MARK] = true
  readonly #options: ReporterOptions
  /** By test, each with the hand-offs of its attempts. */
  readonly #handoffs = new Map<string, Handoff[]>()
  /** Data files with the test modules that read them. */
  readonly #readers = new Map<string, Set<string>>()
  #live: Live | undefined
  #vitest: Vitest | undefined
  /** Another instance of this reporter speaks; this one is silent. */
  #silent = false

  constructor(options: ReporterOptions = {}) {
    this.#options = options
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
    this.#silent = reportersOf(vitest).find(isOurs) !== this
    if (this.#silent) return
    this.#live = new Live(vitest, () => this.#screen())
    const { config } = vitest
    config.watchTriggerPatterns ??= []
    config.watchTriggerPatterns.push({
      pattern: /^.+$/,
      testsToRun: (file) => [...(this.#readers.get(resolve(config.root, file)) ?? [])],
    })
  }

  onTestRunStart(_specifications: readonly TestSpecification[]): void {
    if (this.#silent || !this.#vitest) return
    this.#handoffs.clear()
    for (const project of this.#vitest.projects) {
      const known = project.getProvidedContext()[HANDOFF_KEY] ?? {}
      const settings = { ...shardStore(this.#vitest.config), ...known, ...this.#options }
      project.provide(HANDOFF_KEY, { ...settings, root: this.#vitest.config.root, live: true })
    }
  }

  onTestCaseArtifactRecord(testCase: TestCase, artifact: { type: string }): void {
    // One may still arrive after its test has been reported.
    const ended = testCase.result().state !== 'pending'
    if (artifact.type === PROGRESS && !ended) this.#live?.update(testCase.id, (artifact as ProgressArtifact).progress)
  }

  onTestCaseResult(testCase: TestCase): void {
    this.#live?.end(testCase.id)
    const handoffs = Object.values(testCase.meta()[HANDOFF_KEY] ?? {})
    if (handoffs.length === 0) return
    this.#handoffs.set(testCase.id, handoffs)
    for (const file of handoffs.flatMap(({ files }) => files)) this.#watch(file, testCase.module.moduleId)
  }

  /** A data file counts as part of the evaluation that read it: in watch mode its change runs that one again. */
  #watch(file: string, moduleId: string): void {
    if (!this.#vitest?.config.watch) return
    const readers = this.#readers.get(file) ?? new Set()
    this.#readers.set(file, readers.add(moduleId))
    this.#vitest.vite.watcher.add(file)
  }

  /** A merged run may bring modules without having reported their cases one by one. */
  onTestModuleEnd(module: TestModule): void {
    for (const testCase of module.children.allTests()) this.onTestCaseResult(testCase)
  }

  async onTestRunEnd(): Promise<void> {
    if (this.#silent || !this.#vitest) return
    const { root, mergeReports } = this.#vitest.config
    const stores = new Map<string, Store>()
    const open = (place: string, create: boolean): Store => {
      const path = resolve(root, place)
      const store = stores.get(path) ?? sqlite(path, { create })
      stores.set(path, store)
      return store
    }
    try {
      for (const handoff of this.#latest()) {
        const shard = open(handoff.store, false)
        const merged = mergeReports
          ? await this.#merge(handoff, shard, open(this.#options.store ?? DEFAULT_STORE, true))
          : handoff
        this.#vitest.logger.log(`\n${await this.#report(merged, open(merged.store, false))}`)
      }
    } finally {
      await Promise.all([...stores.values()].map((store) => store.close().catch(() => {})))
    }
  }

  /** Brings a shard's run into the store of the whole; one whose store did not come along is reported by its hand-off. */
  async #merge(handoff: Handoff, from: Store, to: Store): Promise<Handoff> {
    try {
      if (from.location !== to.location) await copyRun(handoff.runId, from, to)
      return { ...handoff, store: this.#options.store ?? DEFAULT_STORE }
    } catch (error) {
      if (error instanceof EvaluationError) return handoff
      throw error
    }
  }

  /** The hand-offs of each test's last attempt, in the order in which the tests ended. */
  #latest(): Handoff[] {
    return [...this.#handoffs.values()].flatMap((handoffs) => {
      const last = Math.max(...handoffs.map(({ attempt }) => attempt))
      return handoffs.filter(({ attempt }) => attempt === last)
    })
  }

  async #report(handoff: Handoff, store: Store): Promise<string> {
    const { renderRun } = await import('./terminal.ts')
    try {
      const run = await store.getRun(handoff.runId)
      if (!run)
        throw new EvaluationError(
          'RUN_NOT_FOUND',
          `Cannot report run "${handoff.runId}": ${handoff.store} does not hold it`,
        )
      const seen =
        run.status === 'running' ? { ...run, status: 'interrupted' as const, reason: 'its test ended first' } : run
      return renderRun(await gather(seen, store, handoff.store), this.#screen())
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error
      return `${handoff.name}: ${handoff.rows} rows, ${handoff.failed} failed. ${error.message}`
    }
  }

  #screen(): Screen {
    const { NO_COLOR, FORCE_COLOR, CI } = process.env
    const colors = !NO_COLOR && (FORCE_COLOR ? FORCE_COLOR !== '0' : process.stdout.isTTY === true || CI !== undefined)
    return { width: process.stdout.columns || 80, colors }
  }
}

/** Shards write stores of their own, whose folders can be put together without one covering the other. */
function shardStore({ shard }: Vitest['config']): Pick<Settings, 'store'> {
  return shard ? { store: join(dirname(DEFAULT_STORE), `shard-${shard.index}-of-${shard.count}.sqlite`) } : {}
}
