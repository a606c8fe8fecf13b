import type { Progress } from '../src/handoff.ts'
import { plural, visible } from '../src/std/text.ts'
import { whole } from './number.ts'
import { fit } from './screen.ts'

/** What is said of evaluations that were cut off. */

/** An evaluation under way, as it was last heard of. */
export interface Going {
  readonly testId: string
  /** Its test file, relative to Vitest's root. */
  readonly file: string
  readonly progress: Progress
}

/** Gives the line that tells how a run is resumed: a command for a shell. */
export function resumeLine(file: string): string {
  const shown = visible(file)
  const quoted = /^[\w./@-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
  return `resume: VITEST_EVALUATE_RESUME=1 npx vitest run ${quoted}`
}

/**
 * Gives one line: `slow: interrupted after at least 420 of 1,000 rows · resume: VITEST_EVALUATE_RESUME=1 npx vitest run slow.eval.ts`.
 * @param kept rows that the store holds, where that could be read
 */
export function farewellLine({ progress: { name, done, total }, file }: Going, kept: number = done): string {
  const rows = total === undefined ? plural(kept, 'row') : `${whole(kept)} of ${plural(total, 'row')}`
  return `${fit(name, 80)}: interrupted after at least ${rows} · ${resumeLine(file)}`
}
