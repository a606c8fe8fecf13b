import { readAnchorCheck } from './anchoring.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import { type OpenOptions, storeToRead } from './open.ts'
import { type QualityOptions, quality } from './quality.ts'
import type { QualityReport } from './series.ts'
import type { DeadLetter, MonitorStatus } from './status.ts'
import type { Store } from './store.ts'
import { deadLetters, type SurveyOptions, survey } from './survey.ts'

/** The door to what monitoring has seen. */

/** What is reported on, and where it is stored. */
export interface ReadQualityOptions extends OpenOptions, Omit<QualityOptions, 'experiment'> {
  /** @default the only experiment with registered scorers, else the one in force */
  readonly experiment?: string
}

/**
 * Reads what registered scorers have said of production: window by window, with drift against a reference.
 *
 * @example
 * const { columns } = await readQuality({ experiment: 'shop', reference: 500 })
 * for (const { name, drift } of columns) if (drift.isAlarm) console.error(name, drift)
 * @throws RangeError for times, windows, references and rates that cannot be meant
 * @throws EvaluationError SCORER_NOT_FOUND where no such scorer is registered, or none at all; STORE_…
 */
export async function readQuality({ store: given, ...options }: ReadQualityOptions = {}): Promise<QualityReport> {
  const store = storeToRead(given === undefined ? {} : { store: given })
  const experiment = options.experiment ?? (await experimentOf(store))
  const report = await quality(store, { ...options, experiment })
  const names = new Set([...report.columns.map(({ scorer }) => scorer), ...report.silent])
  const registrations = (await store.registrations({ experiment })).filter(({ name }) => names.has(name))
  const checks = await Promise.all(registrations.map((one) => readAnchorCheck(store, one)))
  const anchors = checks.filter((check) => check !== undefined)
  return anchors.length > 0 ? { ...report, anchors } : report
}

/** Reads how far monitoring has come. @throws EvaluationError SCORER_NOT_FOUND, STORE_… */
export async function readStatus({ store, ...options }: OpenOptions & SurveyOptions = {}): Promise<MonitorStatus> {
  return survey(storeToRead(store === undefined ? {} : { store }), options)
}

/** Reads what failed too often, `limit` of it (100), and how much there is. @throws EvaluationError SCORER_NOT_FOUND, STORE_… */
export async function readDeadLetters({
  store,
  ...options
}: OpenOptions & SurveyOptions & { readonly limit?: number } = {}): Promise<{
  readonly letters: readonly DeadLetter[]
  readonly count: number
}> {
  return deadLetters(storeToRead(store === undefined ? {} : { store }), options)
}

/** Gives the only experiment with registered scorers, else the one in force. */
export async function experimentOf(store: Pick<Store, 'registrations'>): Promise<string> {
  const [first, ...others] = new Set((await store.registrations()).map(({ experiment }) => experiment))
  return first !== undefined && others.length === 0 ? first : experimentName(undefined, currentHost()?.settings)
}
