import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { keepRun } from './copy.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import { exporterFor } from './exporters/index.ts'
import { Run } from './handle.ts'
import { recount, upToDate } from './recount.ts'
import type { RunRecord } from './run.ts'
import { isAlive } from './std/alive.ts'
import { nowMs } from './std/async.ts'
import type { Store } from './store.ts'

/**
 * Finds a run by what a person calls it.
 * @param which `latest`, a run's id or the start of one, the name of an evaluation (its newest run), or a file written by `run.export`
 * @param open gives the store, where it is needed
 * @throws EvaluationError RUN_NOT_FOUND, STORE_…, SOURCE_…
 */
export async function findRun(which: string, open: () => Store): Promise<Run> {
  if (extname(which) !== '' && existsSync(which)) return openFile(which)
  const store = open()
  return handle(await recordOf(store, which), store)
}

async function openFile(path: string): Promise<Run> {
  const { read } = exporterFor(path)
  if (!read) {
    throw new EvaluationError(
      'SOURCE_NOT_READABLE',
      `Cannot open "${path}" as a run: ${extname(path)} is a flat table`,
      {
        hint: 'export to .jsonl or .arrow to open a run again',
      },
    )
  }
  const { record, trials } = await read(path)
  const { memory } = await import('./stores/memory.ts')
  const store = memory()
  await keepRun(record, trials(), store)
  return new Run(await upToDate(store, record), store)
}

async function recordOf(store: Store, which: string): Promise<RunRecord> {
  const byId = await store.getRun(which)
  if (byId) return byId
  const [found] = await store.listRuns(which === 'latest' ? { limit: 1 } : { name: which, limit: 1 })
  if (found) return found
  const runs = await store.listRuns()
  const ofTest = runs.find(({ test }) => test?.name === which)
  if (ofTest) return ofTest
  const starting = runs.filter(({ id }) => which.length >= 4 && id.startsWith(which))
  if (starting.length === 1) return starting[0] as RunRecord
  const problem =
    runs.length === 0
      ? 'the store has no runs'
      : starting.length > 1
        ? `${starting.length} runs begin like that`
        : `there is no such run${didYouMean(
            which,
            runs.map(({ name }) => name),
          )}`
  throw new EvaluationError('RUN_NOT_FOUND', `Cannot open run ${quote(which)} of ${store.location}: ${problem}`, {
    hint: runs.length === 0 ? 'run an evaluation first' : 'vitest-evaluate runs lists them',
  })
}

/** A run whose process is gone is not running any more, whatever its record still says. */
export async function handle(record: RunRecord, store: Store): Promise<Run> {
  if (record.status !== 'running') return new Run(await upToDate(store, record), store)
  const alive = isAlive(record.process, record.startedAt)
  const gone = alive === false
  // It may have ended as it should, since the record was read.
  const now = gone ? await store.getRun(record.id) : record
  if (now && now.status !== 'running') return new Run(await upToDate(store, now), store)
  const { uncounted: _, ...counted } = await recount(store, record)
  if (alive === undefined) return new Run({ ...counted, ...elsewhere(counted) }, store)
  if (!gone) return new Run(counted, store)
  return new Run({ ...counted, status: 'interrupted', reason: 'its process ended before it did' }, store)
}

/** A process on another machine that has not finished a row for so long is taken for ended. */
const SILENT_MS = 3_600_000

/** Of a process on another machine nothing can be known here but when it finished its last row. */
function elsewhere({ startedAt, totals, process: { host } }: RunRecord): Pick<RunRecord, 'status' | 'reason'> {
  const lastMs = startedAt + totals.wallMs
  const since = `since ${new Date(lastMs).toISOString().slice(0, 19)}Z`
  if (nowMs() - lastMs > SILENT_MS) {
    return { status: 'interrupted', reason: `nothing has come from its process on ${quote(host)} ${since}` }
  }
  return { status: 'running', reason: `its process is on ${quote(host)}, and nothing has come from it ${since}` }
}
