import { dirname, format, parse, resolve } from 'node:path'
import type { Reporter, TestCase, TestModule, TestSpecification, Vitest } from 'vitest/node'
import { didYouMean, EvaluationError, quote } from '../src/errors.ts'
import { DEFAULT_STORE, FILES_KEY, HANDOFF_KEY, type Handoff, PROGRESS, type ProgressArtifact } from '../src/handoff.ts'
import type { Settings } from '../src/host.ts'
import type { Screen } from '../src/reporter.ts'
import { fitsGlob, globFolder, isGlob } from '../src/std/glob.ts'
import { visible } from '../src/std/text.ts'
import type { DirectReader } from '../src/stores/direct.ts'
import { farewellLine, type Going, resumeLine } from './farewell.ts'
import { Live, reportersOf } from './live.ts'

/** What the reporter passes on to every evaluation. */
export type ReporterOptions = Omit<Settings, 'root' | 'live' | 'whole' | 'evals'>

const EVALUATION = /\.eval\.[cm]?[jt]sx?$/
const FOR_PROGRAMS = /^(Json|JUnit|Tap|TapFlat)Reporter$/
const MARK = Symbol.for('vitest-evaluate/reporter')

/** What is needed to print a run. */
interface Parts {
  readonly renderRun: typeof import('./terminal.ts').renderRun
  readonly gather: typeof import('./report.ts').gather
  readonly DirectReader: typeof import('../src/stores/direct.ts').DirectReader
}

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
  /** Data files, or globs of them, with the test modules that read them. */
  readonly #readers = new Map<string, Set<string>>()
  /** Evaluations that have said how far they are, by run; some may be over by now. */
  readonly #going = new Map<string, Going>()
  #live: Live | undefined
  #loading: Promise<Parts> | undefined
  #parts: Parts | undefined
  #vitest: Vitest | undefined
  /** The store of the whole. */
  #place: string = DEFAULT_STORE
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
      // A list, even an empty one, would tell Vitest that the change is dealt with.
      testsToRun: (file) => {
        const path = resolve(config.root, file)
        const readers = [...this.#readers].flatMap(([read, by]) =>
          read === path || fitsGlob(path, read) ? [...by] : [],
        )
        return readers.length > 0 ? [...new Set(readers)] : undefined
      },
    })
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    if (this.#silent || !this.#vitest) return
    // While workers start, this process has nothing to do: time to load what is going to be printed with.
    if (specifications.some(({ moduleId }) => EVALUATION.test(moduleId))) setTimeout(() => this.#load())
    this.#handoffs.clear()
    this.#going.clear()
    process.off('exit', this.#farewell)
    process.once('exit', this.#farewell)
    const { root, shard } = this.#vitest.config
    for (const project of this.#vitest.projects) {
      const settings = { ...project.getProvidedContext()[HANDOFF_KEY], ...this.#options }
      this.#place = settings.store ?? DEFAULT_STORE
      const store = shard ? { store: shardPlace(this.#place, shard), whole: this.#place } : {}
      project.provide(HANDOFF_KEY, { ...settings, ...store, root, live: true })
    }
  }

  onTestCaseArtifactRecord(testCase: TestCase, artifact: { type: string }): void {
    // One may still arrive after its test has been reported.
    const ended = testCase.result().state !== 'pending'
    if (artifact.type !== PROGRESS || ended) return
    const { progress } = artifact as ProgressArtifact
    this.#live?.update(testCase.id, progress)
    this.#going.set(progress.runId, { testId: testCase.id, file: testCase.module.relativeModuleId, progress })
  }

  onTestCaseResult(testCase: TestCase): void {
    this.#live?.end(testCase.id)
    for (const [runId, { testId }] of this.#going) if (testId === testCase.id) this.#going.delete(runId)
    const { [HANDOFF_KEY]: handoffs, [FILES_KEY]: files = [] } = testCase.meta()
    for (const file of files) this.#watch(file, testCase.module.moduleId)
    if (handoffs) this.#handoffs.set(testCase.id, Object.values(handoffs))
  }

  /** A data file counts as part of the evaluation that read it: in watch mode its change runs that one again. */
  #watch(file: string, moduleId: string): void {
    if (!this.#vitest?.config.watch) return
    const readers = this.#readers.get(file) ?? new Set()
    this.#readers.set(file, readers.add(moduleId))
    this.#vitest.vite.watcher.add(isGlob(file) ? globFolder(file) : file)
  }

  /** A merged run may bring modules without having reported their cases one by one. */
  onTestModuleEnd(module: TestModule): void {
    for (const testCase of module.children.allTests()) this.onTestCaseResult(testCase)
  }

  /**
   * After a signal Vitest ends without a word to its reporters, and nothing can be waited for: a line for each evaluation that is cut off is all
   * that there is time for.
   */
  readonly #farewell = (): void => {
    const lines = [...this.#going.values()].flatMap((going) => {
      const stored = this.#peek(going.progress.runId)
      return stored?.run.status === 'finished' ? [] : [` ! ${farewellLine(going, stored?.rows)}`]
    })
    if (lines.length > 0) this.#print(`\n${lines.join('\n')}`)
  }

  #peek(runId: string): ReturnType<DirectReader['peek']> {
    let store: DirectReader | undefined
    try {
      store =
        this.#parts && new this.#parts.DirectReader(this.#path(process.env.VITEST_EVALUATE_STORE || this.#place), 100)
      return store?.peek(runId)
    } catch {
      // What it last said of itself has to do.
      return undefined
    } finally {
      store?.close()
    }
  }

  async onTestRunEnd(): Promise<void> {
    process.off('exit', this.#farewell)
    if (this.#silent || !this.#vitest) return
    const merged = this.#vitest.config.mergeReports ? await this.#merge() : undefined
    for (const handoff of this.#latest()) {
      this.#print(`\n${await this.#report(merged?.get(handoff.runId) ?? handoff)}`)
    }
    const idle = this.#idleGates()
    if (idle.length > 0) this.#print(`\n${idle.map((text) => ` ! ${text}`).join('\n')}`)
  }

  /** A gate of the configuration that found its column nowhere may be a slip of the pen, and would guard nothing. */
  #idleGates(): string[] {
    const gates =
      this.#vitest?.projects.flatMap((project) =>
        Object.keys(project.getProvidedContext()[HANDOFF_KEY]?.gates ?? {}),
      ) ?? []
    const metrics = this.#latest().flatMap((handoff) => Object.keys(handoff.metrics))
    if (metrics.length === 0) return []
    const columns = new Set([...metrics, ...metrics.map((metric) => metric.slice(0, metric.lastIndexOf('/')))])
    return [...new Set(gates)]
      .filter((gate) => gate !== 'budget' && !columns.has(gate) && !columns.has(gate.slice(0, gate.lastIndexOf('/'))))
      .map(
        (gate) =>
          `the gate of ${quote(gate)} guards nothing: no evaluation here has such a column${didYouMean(gate, columns)}`,
      )
  }

  /** Brings the runs of shards into the store of the whole. One whose store did not come along is reported by its hand-off. */
  async #merge(): Promise<Map<string, Handoff>> {
    const [{ copyRun }, { sqlite }] = await Promise.all([import('../src/copy.ts'), import('../src/stores/sqlite.ts')])
    const merged = new Map<string, Handoff>()
    const place = process.env.VITEST_EVALUATE_STORE || this.#place
    const to = sqlite(this.#path(place))
    const byStore = Map.groupBy([...this.#handoffs.values()].flat(), ({ store }) => this.#path(store))
    byStore.delete(to.location)
    for (const [path, handoffs] of byStore) {
      const from = sqlite(path, { create: false })
      for (const handoff of handoffs) {
        try {
          await copyRun(handoff.runId, from, to)
          merged.set(handoff.runId, { ...handoff, store: place })
        } catch (error) {
          if (!(error instanceof EvaluationError)) throw error
          this.#vitest?.logger.error(`\nCannot merge run ${handoff.runId} (${visible(handoff.name)}): ${error.message}`)
        }
      }
      await from.close().catch(() => {})
    }
    await to.close().catch(() => {})
    return merged
  }

  #path(place: string): string {
    return resolve(this.#vitest?.config.root ?? '.', place)
  }

  /** The hand-offs of each test's last attempt, in the order in which the tests ended. */
  #latest(): Handoff[] {
    return [...this.#handoffs.values()].flatMap((handoffs) => {
      const last = Math.max(...handoffs.map(({ attempt }) => attempt))
      return handoffs.filter(({ attempt }) => attempt === last)
    })
  }

  async #report(handoff: Handoff): Promise<string> {
    const { renderRun, gather, DirectReader } = await this.#load()
    let store: DirectReader | undefined
    try {
      store = new DirectReader(this.#path(handoff.store))
      const run = await store.getRun(handoff.runId)
      if (!run) {
        const message = `Cannot report run "${handoff.runId}": ${handoff.store} does not hold it`
        throw new EvaluationError('RUN_NOT_FOUND', message)
      }
      // Where its end could not be written, the hand-off knows how far it came.
      const totals = { ...run.totals, rows: handoff.rows, failed: handoff.failed }
      const cut = { ...run, totals, status: 'interrupted', reason: 'its test ended first' } as const
      const shown = run.status === 'running' ? cut : run
      const text = renderRun(await gather(shown, store, handoff.store), this.#screen())
      const { status, test } = shown
      return status === 'interrupted' && test ? `${text}\n ${resumeLine(test.file)}` : text
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error
      return `${visible(handoff.name)}: ${handoff.rows} rows, ${handoff.failed} failed. ${error.message}`
    } finally {
      store?.close()
    }
  }

  #load(): Promise<Parts> {
    this.#loading ??= Promise.all([
      import('./terminal.ts'),
      import('./report.ts'),
      import('../src/stores/direct.ts'),
    ]).then(([{ renderRun }, { gather }, { DirectReader }]) => {
      this.#parts = { renderRun, gather, DirectReader }
      return this.#parts
    })
    return this.#loading
  }

  /** Where another reporter writes for programs, nothing may be added to what it writes. */
  #print(text: string): void {
    const { logger } = this.#vitest as Vitest
    const forPrograms = reportersOf(this.#vitest as Vitest).some((reporter) => FOR_PROGRAMS.test(nameOf(reporter)))
    if (forPrograms) logger.error(text)
    else logger.log(text)
  }

  #screen(): Screen {
    const { NO_COLOR, FORCE_COLOR, CI } = process.env
    const colors = !NO_COLOR && (FORCE_COLOR ? FORCE_COLOR !== '0' : process.stdout.isTTY === true || CI !== undefined)
    return { width: process.stdout.columns || 80, colors }
  }
}

/** Shards write stores of their own, side by side, whose folders can be put together without one covering the other. */
function shardPlace(place: string, { index, count }: { readonly index: number; readonly count: number }): string {
  const { name, ext } = parse(place)
  const shard = `shard-${index}-of-${count}${ext}`
  return format({ dir: dirname(place), base: place === DEFAULT_STORE ? shard : `${name}-${shard}` })
}

function nameOf(reporter: unknown): string {
  return (reporter as object | null)?.constructor?.name ?? ''
}
