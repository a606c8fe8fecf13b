import { resolve } from 'node:path'
import { PROMETHEUS_TYPE, renderPrometheus } from '../../reporters/prometheus.ts'
import { archiveTraces } from '../archiving.ts'
import { messageOf } from '../errors.ts'
import type { MonitorOptions } from '../overseer.ts'
import { openStore } from '../place.ts'
import { type Receiver, receiveTraces } from '../receiver.ts'
import { readStatus } from '../seen.ts'
import { duration, plural, visible, visibleJson } from '../std/text.ts'
import type { Store } from '../store.ts'
import { Supervisor, type SupervisorEvent } from '../supervisor.ts'
import { spentToday } from '../supply.ts'
import type { Output, Shared } from './output.ts'

/** What `vitest-evaluate monitor` takes; times in seconds. */
export interface MonitorCommandOptions extends Shared {
  readonly experiment?: string
  readonly root?: string
  readonly receiver: boolean
  readonly host: string
  readonly port: number
  readonly token?: string
  readonly once?: boolean
  readonly concurrency?: number
  readonly budget?: number
  readonly judgeModel?: string
  readonly scorerTimeout: number
  readonly completionBuffer: number
  readonly sessionBuffer: number
  readonly hangTimeout: number
}

const ARCHIVE_EVERY_MS = 20_000
const SAY_EVERY_MS = 30_000
const GRACE_MS = 15_000

/**
 * Receives traces and scores them until it is told to end by SIGINT or SIGTERM.
 * @returns 0; 1 where it should have done what is due once, and a scorer was held up
 */
export async function monitor(options: MonitorCommandOptions, output: Output): Promise<number> {
  const store = openStore(options.store)
  const say = sayer(options, output)
  const supervisor = new Supervisor({
    store,
    settings: scoringOf(options, store.location),
    hangTimeoutMs: Math.max(options.hangTimeout, 1) * 1_000,
    onEvent: say,
  })
  // Tables are made, and what is wrong with the store is said, before anybody listens.
  const registrations = await store.registrations({
    ...(options.experiment !== undefined && { experiment: options.experiment }),
  })
  const receiver = options.receiver && !options.once ? await receive(options, store) : undefined
  const stops = stopBySignal(() => supervisor.stop(GRACE_MS))
  const archiving = archiveOn(options, say)
  const telling = tellOn(supervisor, receiver, say)
  try {
    if (receiver)
      say({
        kind: 'listening',
        message: `Receives traces on ${receiver.url}/v1/traces, experiment ${receiver.experiment}`,
      })
    const active = registrations.filter(({ sampleRate }) => sampleRate > 0)
    say({ kind: 'scoring', message: activeText(active) })
    await supervisor.run()
    await receiver?.close()
    await archiving.stop()
    const held = [...supervisor.blocked].map(visible).join(', ')
    const rest = options.once && held !== '' ? `; held up: ${held}` : ''
    say({ kind: 'ended', message: `Ended: ${plural(supervisor.scored, 'score')}${rest}` })
    return rest === '' ? 0 : 1
  } finally {
    telling.stop()
    stops()
    await store.close()
  }
}

function scoringOf(options: MonitorCommandOptions, store: string): MonitorOptions & { readonly once: boolean } {
  const { experiment, root, once = false, concurrency, budget, judgeModel } = options
  return {
    store,
    once,
    root: resolve(root ?? '.'),
    scorerTimeoutMs: options.scorerTimeout * 1_000,
    completionBufferMs: options.completionBuffer * 1_000,
    sessionBufferMs: options.sessionBuffer * 1_000,
    ...(experiment !== undefined && { experiment }),
    ...(concurrency !== undefined && { maxConcurrency: concurrency }),
    ...(budget !== undefined && { budget }),
    ...(judgeModel !== undefined && { judgeModel }),
  }
}

async function receive(
  { store, experiment, host, port, budget, token = process.env.VITEST_EVALUATE_TOKEN }: MonitorCommandOptions,
  opened: Store,
): Promise<Receiver> {
  const place = { ...(store !== undefined && { store }), ...(experiment !== undefined && { experiment }) }
  const receiver: Receiver = await receiveTraces({
    host,
    port,
    ...place,
    ...(token && { token }),
    pages: {
      '/metrics': async () => {
        const figures = {
          receiver: receiver.counts,
          ...(budget !== undefined && spentToday(budget, opened.location)),
        }
        return {
          type: PROMETHEUS_TYPE,
          body: renderPrometheus(await readStatus({ ...place, isLenient: true }), figures),
        }
      },
    },
  })
  return receiver
}

function activeText(active: readonly { readonly name: string; readonly sampleRate: number }[]): string {
  if (active.length === 0) return 'No scorer is active: register and start one, and it is taken up'
  const names = active.map(({ name, sampleRate }) => `${visible(name)} (${sampleRate})`)
  return `Scores with ${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`
}

type Said =
  | SupervisorEvent
  | { readonly kind: 'listening' | 'scoring' | 'archived' | 'progress' | 'ended'; readonly message: string }

function sayer({ json }: Shared, output: Output): (said: Said) => void {
  return (said) => {
    const at = new Date().toISOString()
    if (json) output.print(visibleJson(JSON.stringify({ at, ...said })))
    else output.print(`${at.slice(11, 19)} ${textOf(said)}`)
  }
}

function textOf(said: Said): string {
  const message = visible(said.message)
  switch (said.kind) {
    case 'blocked':
      return `${visible(said.scorer)} is held up for ${duration(said.untilMs - Date.now())} (${visible(said.code)}): ${message}`
    case 'crashed':
      return `${message}; ${plural(said.units, 'unit')} in work will be scored one by one`
    case 'failed':
      return `${visible(said.scorer)} failed (${visible(said.code)}), and is tried again where it may help: ${message}`
    case 'fault':
      return `Fault: ${message}`
    default:
      return message
  }
}

/** The first signal lets what is in work end, the second one does not. */
function stopBySignal(stop: () => void): () => void {
  let signals = 0
  const onSignal = (): void => {
    if (++signals > 1) process.exit(130)
    stop()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  }
}

function archiveOn({ store, once }: MonitorCommandOptions, say: (said: Said) => void): { stop(): Promise<void> } {
  let running: Promise<void> | undefined
  const archive = (due: boolean): Promise<void> => {
    running ??= archiveTraces({ due, ...(store !== undefined && { store }) })
      .then((reports) => {
        for (const { rows, table } of reports.filter((one) => one.rows > 0))
          say({ kind: 'archived', message: `Archived ${plural(rows, 'row')} to ${table}` })
        for (const { lost = 0, table } of reports)
          if (lost > 0)
            say({
              kind: 'fault',
              message: `${plural(lost, 'trace')} cannot be read any more, and cannot be archived to ${table}`,
            })
      })
      .catch((fault: unknown) => say({ kind: 'fault', message: messageOf(fault) }))
      .finally(() => {
        running = undefined
      })
    return running
  }
  const timer = setInterval(() => void archive(true), ARCHIVE_EVERY_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      await running
      await archive(once !== true)
    },
  }
}

/** Says how it goes, where anything has happened since. */
function tellOn(supervisor: Supervisor, receiver: Receiver | undefined, say: (said: Said) => void): { stop(): void } {
  let before = ''
  const timer = setInterval(() => {
    const received = receiver ? `, ${plural(receiver.counts.spans, 'span')} received` : ''
    const message = `${plural(supervisor.scored, 'score')}${received}`
    if (message !== before) say({ kind: 'progress', message })
    before = message
  }, SAY_EVERY_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
