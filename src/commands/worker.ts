import { writeSync } from 'node:fs'
import { messageOf } from '../errors.ts'
import { type MonitorOptions, monitorTraces } from '../overseer.ts'
import type { Unit } from '../queue.ts'
import { WITNESS_FD, type WorkerLine } from '../supervisor.ts'

const BEAT_MS = 1_000
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/**
 * Scores, as the process that `monitor` keeps alive: says on a pipe what it has begun before it begins it, so that its last words name what it died of, and ends when its
 * input ends, which it does when nobody is left who would keep it alive.
 *
 * @param settings the options of `monitorTraces` as JSON
 */
export async function monitorWorker(settings: string): Promise<void> {
  const options: MonitorOptions & { once?: boolean } = JSON.parse(settings)
  const controller = new AbortController()
  process.stdin.once('end', () => controller.abort(new Error('the monitor stops'))).resume()
  process.stdin.once('error', () => controller.abort(new Error('the monitor is gone')))
  // Of a terminal's Ctrl-C everybody hears; the monitor decides.
  process.on('SIGINT', () => {})
  const witness = new PipeWitness()
  // What a scorer has left running may fail at any time, and says nothing about the trace that is scored by then.
  for (const kind of ['unhandledRejection', 'uncaughtException'] as const)
    process.on(kind, (reason) =>
      say({ event: { kind: 'fault', message: `Something that a scorer left running failed: ${messageOf(reason)}` } }),
    )
  let monitor: { readonly scored: number } | undefined
  const beat = setInterval(() => say({ beat: monitor?.scored ?? 0 }), BEAT_MS)
  try {
    await monitorTraces({
      ...options,
      witness,
      signal: controller.signal,
      onEvent: (event) => say({ event }),
      onStart: (given) => {
        monitor = given
        say({ owner: given.owner })
      },
    })
    say({ beat: monitor?.scored ?? 0 })
    say({ done: true })
  } finally {
    clearInterval(beat)
    process.stdin.destroy()
  }
}

class PipeWitness {
  #n = 0
  readonly #numbers = new Map<string, number>()

  begin(unit: Unit): void {
    const n = ++this.#n
    this.#numbers.set(`${unit.scorer} ${unit.entity}`, n)
    say({ n, unit })
  }

  end({ scorer, entity }: Unit): void {
    const key = `${scorer} ${entity}`
    say({ e: this.#numbers.get(key) ?? 0 })
    this.#numbers.delete(key)
  }
}

/** Says it at once: what stands in a buffer dies with the process. */
function say(line: WorkerLine): void {
  let bytes = Buffer.from(`${JSON.stringify(line)}\n`)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(WITNESS_FD, bytes))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Nobody is left to hear it: the end of the input says the same.
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
      Atomics.wait(PAUSE, 0, 0, 1)
    }
  }
}
