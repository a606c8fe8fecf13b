import { copyRun } from '../copy.ts'
import { storeToRead } from '../open.ts'
import { plural } from '../std/text.ts'
import { openStore } from '../workspace.ts'
import { type Output, printJson, type Shared } from './output.ts'

/** Brings the runs of several stores, such as those of shards, into one. */
export async function merge(files: readonly string[], options: Shared, output: Output): Promise<void> {
  const to = openStore(options.store)
  const merged: string[] = []
  for (const file of files) {
    const from = storeToRead({ store: file })
    for (const { id } of (await from.listRuns()).reverse()) {
      await copyRun(id, from, to)
      merged.push(id)
    }
  }
  if (options.json) printJson(output, { store: to.location, runs: merged })
  else output.print(`Merged ${plural(merged.length, 'run')} of ${plural(files.length, 'store')} into ${to.location}`)
}
