import { anchorNotes } from '../../reporters/anchors.ts'
import { noteLines } from '../../reporters/note.ts'
import { checkAnchors } from '../anchors.ts'
import { openStore } from '../place.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/** What `vitest-evaluate monitor anchors` takes. */
export interface AnchorsOptions extends Shared {
  readonly experiment?: string
  readonly root?: string
  readonly traces?: number
  readonly renew?: boolean
  readonly budget?: number
  readonly judgeModel?: string
}

/**
 * Asks judges again about their anchors.
 * @returns 0; 1 where a judge has changed, 2 where one could not be asked, or judge none of its anchors. What is thrown is for 3
 */
export async function anchors(scorers: readonly string[], options: AnchorsOptions, output: Output): Promise<number> {
  const { experiment, root, traces, renew, budget, judgeModel } = options
  try {
    const checks = await checkAnchors({
      ...storeOption(options),
      ...(scorers.length > 0 && { scorers }),
      ...(experiment !== undefined && { experiment }),
      ...(root !== undefined && { root }),
      ...(traces !== undefined && { traces }),
      ...(renew && { renew }),
      ...(budget !== undefined && { budget }),
      ...(judgeModel !== undefined && { judgeModel }),
    })
    if (options.json) printJson(output, checks)
    else {
      for (const check of checks) {
        for (const text of noteLines(anchorNotes(check), output.screen)) output.print(text)
        const { runId, firstRunId } = check
        const store = options.store === undefined ? '' : ` --store ${options.store}`
        if (check.verdict === 'changed') output.print(`  npx vitest-evaluate compare ${firstRunId} ${runId}${store}`)
      }
    }
    if (checks.some(({ verdict }) => verdict === 'changed')) return 1
    return checks.some(({ problem, errors, traces: all }) => problem !== undefined || errors >= all) ? 2 : 0
  } finally {
    await openStore(options.store).close()
  }
}
