import { copyRun } from '../copy.ts'
import { EvaluationError, quote } from '../errors.ts'
import { storeToRead } from '../open.ts'
import { openStore } from '../place.ts'
import { plural } from '../std/text.ts'
import { type Output, printJson, type Shared } from './output.ts'

/**
 * Brings the runs of several stores, such as those of shards, into one. The destination may be among them, as where all files of a folder
 * are named: it keeps what it has.
 * @throws EvaluationError CONFIG_INVALID when there is nothing but the destination; STORE_…
 */
export async function merge(files: readonly string[], options: Shared, output: Output): Promise<void> {
  const to = openStore(options.store)
  // All of them, before the first is copied: a name that is wrong should not leave half of the work done.
  const stores = new Set(files.map((file) => storeToRead({ store: file })))
  stores.delete(to)
  if (stores.size === 0) {
    const message = `Cannot merge: there is no other store than ${quote(to.location)}, into which they are merged`
    throw new EvaluationError('CONFIG_INVALID', message, {
      hint: 'name the stores of the shards; --store is the one to write',
    })
  }
  const merged = new Set<string>()
  for (const from of stores) {
    for (const { id } of (await from.listRuns()).reverse()) {
      await copyRun(id, from, to)
      merged.add(id)
    }
  }
  if (options.json) printJson(output, { store: to.location, runs: [...merged] })
  else output.print(`Merged ${plural(merged.size, 'run')} of ${plural(stores.size, 'store')} into ${to.location}`)
}
