import { renderComparison } from '../../reporters/comparison.ts'
import type { Comparison } from '../comparison.ts'
import { against } from '../decide.ts'
import { openRun } from '../open.ts'
import { tabulate } from '../tabulate.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/** Holds one run against another, column by column. */
export async function compare(before: string, after: string, options: Shared, output: Output): Promise<void> {
  const [one, other] = [await openRun(before, storeOption(options)), await openRun(after, storeOption(options))]
  const comparison = await against(await tabulate(other.store, other.record), one)
  if (options.json) printJson(output, dataOf(comparison))
  else output.print(renderComparison(comparison, output.screen))
}

/** A comparison without the values that it was made of. */
function dataOf({ before, after, ...rest }: Comparison): object {
  return { before: before.run.id, after: after.run.id, ...rest }
}
