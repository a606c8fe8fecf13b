import { writeSync } from 'node:fs'
import { messageOf } from '../errors.ts'
import { monitorTraces } from '../overseer.ts'
import type { Unit } from '../queue.ts'
import { WITNESS_FD, type WorkerLine } from '../supervisor.ts'
import type { MonitorCommandOptions } from './monitor.ts'

const BEAT_MS = 1_000
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/**
 * Scores, as the process that `monitor` keeps alive: says on a pipe what it has begun before it begins it, so that its last words name what it died of, and ends when its
 * input ends, which it does when nobody is left who would keep it alive.
 */
export async function monitorWorker(options: MonitorCommandOptions): Promise<void> {
  const controller = new AbortController()
  process.stdin.once('end', () => controller.abort(new Error('the monitor stops'))).resume()
  process.stdin.once('error', () => controller.abort(new Error('the monitor is gone')))
  // Of a terminal's Ctrl-C everybody hears; the monitor decides.
  process.on('SIGINT', () => {})
  const witness = new PipeWitness()
  // A promise that a scorer has left alone may reject at any time, and says nothing about the trace that is scored by then.
  process.on('unhandledRejection', (reason) =>
    say({ event: { kind: 'fault', message: `A promise that nobody waits for was rejected: ${messageOf(reason)}` } }),
  )
  const beat = setInterval(() => say({ beat: witness.ended }), BEAT_MS)
  try {
    await monitorTraces({
      ...options.scoring,
      once: options.once ?? false,
      witness,
      signal: controller.signal,
      onEvent: (event) => say({ event }),
      onOwner: (owner) => say({ owner }),
    })
    say({ done: true })
  } finally {
    clearInterval(beat)
    process.stdin.destroy()
  }
}

class PipeWitness {
  ended = 0
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
    this.ended++
  }
}

/** Says it at once: what stands in a buffer dies with the process. */
function say(line: WorkerLine): void {
  let bytes = Buffer.from(`${JSON.stringify(line)}\n`)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(WITNESS_FD, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(PAUSE, 0, 0, 1)
    }
  }
}
