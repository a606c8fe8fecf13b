import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { samplePoint } from '../../src/sampling.ts'
import { sleep } from '../../src/std/async.ts'
import { encode } from '../../src/std/json.ts'
import { unitHash } from '../../src/std/random.ts'
import type { Store, TraceWrite } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'

/** A monitor that is killed again and again while production goes on: what should have been scored, against what was. */

export interface OutageSettings {
  /** The project's folder, built. */
  readonly root: string
  readonly traces: number
  readonly kills: number
  readonly onProgress?: (text: string) => void
}

export interface OutageReport {
  readonly due: number
  readonly missed: number
  readonly doubled: number
  /** Scored although neither rate nor filter asked for it. */
  readonly uncalled: number
  readonly wrong: number
  readonly kills: number
  readonly seconds: number
}

const EXPERIMENT = 'shop'
const DAY_MS = 86_400_000
const NOW = 1_790_000_000_000

/** Each with its rate, its filter, and the same filter in words of this file. */
const SCORERS = {
  length: { rate: 1, filter: "tag.env = 'prod'", wants: (i: number) => i % 3 !== 0 },
  polite: { rate: 0.3, filter: undefined, wants: () => true },
  slow: { rate: 0.5, filter: 'execution_time_ms > 500', wants: (i: number) => i % 10 === 0 },
} as const

const MODULE = `import { scorer } from 'PACKAGE'
export const length = scorer('length', ({ outputs }) => outputs.length)
export const polite = scorer('polite', async ({ outputs }) => outputs.includes('please'))
export const slow = scorer('slow', ({ trace }) => trace.durationMs)
`

function idOf(i: number): string {
  return `tr-${i.toString(16).padStart(32, '0')}`
}

/** A trace of an outage of seven days: some come late, some from clocks that are wrong. */
function traceOf(i: number, all: number): TraceWrite {
  const late = i % 17 === 0 ? -3 * DAY_MS : 0
  const skew = i % 23 === 0 ? Math.round((unitHash('skew', String(i)) - 0.5) * 2 * DAY_MS) : 0
  return {
    id: idOf(i),
    experiment: EXPERIMENT,
    name: 'answer',
    status: 'OK',
    requestTimeMs: NOW + Math.round((i / all) * 7 * DAY_MS) + late + skew,
    requestTimeSubNs: 0,
    durationNs: i % 10 === 0 ? 900_000_000 : 5_000_000,
    tags: { env: i % 3 === 0 ? 'dev' : 'prod' },
    metadata: {},
    inputs: encode({ question: `why ${i}` }),
    outputs: encode(outputOf(i)),
    spans: '',
  }
}

function outputOf(i: number): string {
  return i % 4 === 0 ? `please ${i}` : `because of ${i}`
}

const EXPECTED = {
  length: (i: number) => outputOf(i).length,
  polite: (i: number) => i % 4 === 0,
  slow: (i: number) => (i % 10 === 0 ? 900 : 5),
} as const

/** Writes traces; every 50th comes without its end first, and ends some thousands later. */
async function produce(store: Store, from: number, to: number, all: number): Promise<void> {
  const BATCH = 500
  for (let at = from; at < to; at += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, to - at) }, (_, k) => at + k)
    const isLong = (i: number): boolean => i % 50 === 7
    await store.writeTraces(
      numbers.map((i) => {
        const { outputs: _, durationNs: __, ...open } = traceOf(i, all)
        return { trace: isLong(i) ? { ...open, status: 'IN_PROGRESS' } : traceOf(i, all), assessments: [] }
      }),
    )
    const ending = numbers.map((i) => i - 2_000).filter((i) => i >= 0 && isLong(i))
    await end(store, ending, all)
  }
  const left = Array.from({ length: 2_000 }, (_, k) => to - 2_000 + k)
  if (to === all)
    await end(
      store,
      left.filter((i) => i >= 0 && i % 50 === 7),
      all,
    )
}

async function end(store: Store, numbers: readonly number[], all: number): Promise<void> {
  const standing = await store.standing(numbers.map(idOf))
  const was = new Map(standing.map(({ trace, position }) => [trace.id, position]))
  const changes = numbers.map((i) => ({ trace: traceOf(i, all), was: was.get(idOf(i)) as number }))
  if (changes.length > 0) await store.putTraces(changes)
}

class Monitored {
  readonly #settings: OutageSettings
  readonly #folder: string
  #child: ChildProcess | undefined

  constructor(settings: OutageSettings, folder: string) {
    this.#settings = settings
    this.#folder = folder
  }

  start(...args: string[]): Promise<void> {
    const main = join(this.#settings.root, 'dist/src/main.js')
    const child = spawn(process.execPath, [main, 'monitor', '--no-receiver', '--store', 'store.sqlite', ...args], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    child.stdout?.resume()
    this.#child = child
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', () => resolve())
    })
  }

  /** Kills it with everything that it has started. */
  kill(): void {
    try {
      process.kill(-(this.#child?.pid as number), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}

export async function outage(settings: OutageSettings): Promise<OutageReport> {
  const { root, traces, kills, onProgress = () => {} } = settings
  const folder = mkdtempSync(join(tmpdir(), 'outage-'))
  const started = performance.now()
  const entry = pathToFileURL(join(root, 'dist/src/index.js')).href
  writeFileSync(join(folder, 'scorers.mjs'), MODULE.replace('PACKAGE', entry))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: EXPERIMENT, type: 'module' }))
  const store = sqlite(join(folder, 'store.sqlite'))
  try {
    for (const [name, { rate, filter }] of Object.entries(SCORERS)) {
      const recipe = { kind: 'module', module: 'scorers.mjs', export: name, digest: '' } as const
      await store.registerScorer({
        experiment: EXPERIMENT,
        name,
        recipe,
        digest: name,
        level: 'trace',
        registeredAt: 1,
      })
      await store.configureScorer(EXPERIMENT, name, { sampleRate: rate, ...(filter && { filterString: filter }) })
    }
    // Nobody watches for most of the time.
    const away = Math.floor(traces * 0.6)
    await produce(store, 0, away, traces)
    onProgress(`${away} traces came while no monitor ran`)
    const monitored = new Monitored(settings, folder)
    const producing = produce(store, away, traces, traces)
    for (let kill = 0; kill < kills; kill++) {
      const ended = monitored.start()
      await sleep(700 + 2_500 * unitHash('kill', String(kill)))
      monitored.kill()
      await ended
      onProgress(`kill ${kill + 1} of ${kills}`)
    }
    await producing
    await monitored.start('--once')
    onProgress('caught up')
    return { ...(await compare(store, traces)), kills, seconds: Math.round((performance.now() - started) / 1_000) }
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare(
  store: Store,
  all: number,
): Promise<Pick<OutageReport, 'due' | 'missed' | 'doubled' | 'uncalled' | 'wrong'>> {
  const report = { due: 0, missed: 0, doubled: 0, uncalled: 0, wrong: 0 }
  let seen = 0
  for await (const { trace, assessments } of store.search({ experiment: EXPERIMENT, includeSpans: false })) {
    seen++
    const i = Number.parseInt(trace.id.slice(3), 16)
    const point = samplePoint(trace.id)
    for (const [name, { rate, wants }] of Object.entries(SCORERS)) {
      const said = assessments.filter((one) => one.name === name)
      const isDue = point < rate && wants(i)
      if (isDue) report.due++
      if (isDue && said.length === 0) report.missed++
      if (said.length > 1) report.doubled++
      if (!isDue && said.length > 0) report.uncalled++
      const expected = EXPECTED[name as keyof typeof EXPECTED](i)
      if (said.some(({ value }) => value !== expected)) report.wrong++
    }
  }
  if (seen !== all) throw new Error(`The store has ${seen} traces of ${all}`)
  return report
}
