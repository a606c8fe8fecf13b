import type { Progress } from '../src/handoff.ts'
import type { Screen } from '../src/reporter.ts'
import { monotonicMs } from '../src/std/async.ts'
import { progressLine, renderProgress } from './progress.ts'

/** The part of Vitest that is needed to show something. */
interface Host {
  readonly logger: { log(line: string): void }
}

/** What Vitest's default reporter keeps its window in. Not public: every step towards it is guarded, and plain lines remain. */
interface Window {
  createSummary: () => string[]
  renderer: { schedule: () => void }
}

/** The resolved reporters; Vitest has them, but does not declare them. */
export function reportersOf(vitest: object): readonly unknown[] {
  const { reporters } = vitest as { reporters?: unknown }
  return Array.isArray(reporters) ? reporters : []
}

/** In logs, a line so often at most, … */
const LINE_MS = 30_000
/** … or whenever this share more of the rows is done. */
const LINE_SHARE = 0.1

/** Shows evaluations while they run: inside the window of Vitest's default reporter on a terminal, as sparse lines in a log. */
export class Live {
  readonly #screen: () => Screen
  readonly #log: (line: string) => void
  readonly #window: Window | undefined
  readonly #running = new Map<string, Progress>()
  readonly #printed = new Map<string, { at: number; share: number }>()

  constructor(vitest: Host, screen: () => Screen) {
    this.#screen = screen
    this.#log = (line) => vitest.logger.log(line)
    this.#window = reportersOf(vitest)
      .map((reporter) => (reporter as { summary?: unknown }).summary)
      .find(isWindow)
    if (this.#window) {
      const original = this.#window.createSummary.bind(this.#window)
      this.#window.createSummary = () => [...this.#lines(), ...original()]
    }
  }

  update(key: string, progress: Progress): void {
    this.#running.set(key, progress)
    if (this.#window) this.#window.renderer.schedule()
    else this.#maybePrint(key, progress)
  }

  end(key: string): void {
    this.#running.delete(key)
    this.#printed.delete(key)
  }

  #lines(): string[] {
    return this.#running.size === 0 ? [] : renderProgress([...this.#running.values()], this.#screen())
  }

  #maybePrint(key: string, progress: Progress): void {
    const now = monotonicMs()
    const share = progress.total === undefined ? 0 : progress.done / progress.total
    const last = this.#printed.get(key) ?? { at: now, share: 0 }
    this.#printed.set(key, last)
    const pause = progress.total === undefined ? LINE_MS / 3 : LINE_MS
    if (now - last.at < pause && share - last.share < LINE_SHARE) return
    this.#printed.set(key, { at: now, share })
    this.#log(progressLine(progress))
  }
}

function isWindow(summary: unknown): summary is Window {
  const { createSummary, renderer } = (summary ?? {}) as Partial<Window>
  return typeof createSummary === 'function' && typeof renderer?.schedule === 'function'
}
