import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Desk, type Page, type ReceiverLimits } from './desk.ts'
import { didYouMean, EvaluationError, messageOf, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import { Inbox, type ReceiverCounts } from './inbox.ts'
import { openStore } from './place.ts'
import type { Store } from './store.ts'

/** The door for traces that apps send while they work: OTLP/HTTP, as every OpenTelemetry SDK speaks it. */

export type { Page, ReceiverLimits } from './desk.ts'
export type { ReceiverCounts } from './inbox.ts'

/** Where a receiver listens, and what it does with what comes. */
export interface ReceiveOptions {
  /** @default as for `evaluate` */
  readonly store?: string | Store
  /**
   * The experiment of traces that name none: by the resource attribute `vitest-evaluate.experiment` or `mlflow.experiment.name`, else by the header
   * `x-mlflow-experiment-id` or `x-experiment`. @default the experiment in force
   */
  readonly experiment?: string
  /** Where to listen; beyond this machine only with a token. @default '127.0.0.1' */
  readonly host?: string
  /** 0 takes any that is free. @default 4318 */
  readonly port?: number
  /** What senders have to show as `Authorization: Bearer …`. */
  readonly token?: string
  readonly limits?: Partial<ReceiverLimits>
  /** Further pages to GET, by path: `/metrics`. */
  readonly pages?: Readonly<Record<string, () => Page | Promise<Page>>>
}

/** A receiver that listens. */
export interface Receiver {
  /** Without a path: `http://127.0.0.1:4318`. */
  readonly url: string
  /** The store's file. */
  readonly store: string
  readonly experiment: string
  /** As they are now. */
  readonly counts: ReceiverCounts
  /** Takes nothing more, and settles when what has come is safe. The store stays open. */
  close(): Promise<void>
}

const MIB = 1_048_576
const LIMITS: ReceiverLimits = {
  bodyBytes: 20 * MIB,
  unpackedBytes: 64 * MIB,
  waitingBytes: 64 * MIB,
  waitingRequests: 256,
  patienceMs: 4_000,
}

/** How long a request may take to come. */
const SENDING_MS = 60_000
const HEADERS_MS = 10_000
const MAX_CONNECTIONS = 2_000

/**
 * Receives traces by OTLP/HTTP (`POST /v1/traces`, JSON or protobuf, packed by gzip or not) and keeps them in the store. A request is answered with 200 when its spans are
 * safe there. Spans of one trace may come in several requests, in any order, and twice. Where the store cannot keep up, senders are told to come again (429, 503).
 *
 * @example
 * const receiver = await receiveTraces({ store: 'production.sqlite', experiment: 'shop' })
 * @throws TypeError, RangeError for options that cannot be meant, and where it would be open to others without a token
 * @throws EvaluationError CONFIG_INVALID where it cannot listen
 */
export async function receiveTraces(options: ReceiveOptions = {}): Promise<Receiver> {
  requireReceiveOptions(options)
  const { host = '127.0.0.1', port = 4_318, token, pages = {} } = options
  const settings = currentHost()?.settings
  const store = openStore(options.store, settings)
  const experiment = experimentName(options.experiment, settings)
  const limits = { ...LIMITS, ...options.limits }
  const inbox = new Inbox(store, limits)
  const desk = new Desk({ inbox, limits, experiment, token, pages })
  const server = createServer({ requestTimeout: SENDING_MS, headersTimeout: HEADERS_MS }, (request, response) => {
    void desk.serve(request, response)
  })
  server.maxConnections = MAX_CONNECTIONS
  await listening(server, host, port)
  let closing: Promise<void> | undefined
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    store: store.location,
    experiment,
    get counts() {
      return { ...inbox.counts, ...inbox.waiting }
    },
    close: () => {
      closing ??= closed(server, desk, inbox)
      return closing
    },
  }
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, () => resolve(void server.off('error', reject)))
    })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const taken = code === 'EADDRINUSE'
    throw new EvaluationError(
      'CONFIG_INVALID',
      `Cannot receive traces on ${host}:${port}: ${taken ? 'something else listens there' : messageOf(cause)}`,
      { cause, hint: taken ? 'end it, a collector or another receiver perhaps, or choose another port' : undefined },
    )
  }
}

/** Requests that are under way get their answer; then connections end, whether their senders have seen it or not. */
async function closed(server: Server, desk: Desk, inbox: Inbox): Promise<void> {
  desk.close()
  const ended = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  await desk.idle()
  await inbox.drained()
  server.closeAllConnections()
  await ended
}

const OPTIONS = ['store', 'experiment', 'host', 'port', 'token', 'limits', 'pages']

function requireReceiveOptions(options: ReceiveOptions): void {
  const { host = '127.0.0.1', port = 0, token, limits = {} } = options
  const wrong = (problem: string): TypeError => new TypeError(`Cannot receive traces: ${problem}`)
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) throw wrong(`unknown option "${key}"${didYouMean(key, OPTIONS)}`)
  }
  if (typeof host !== 'string' || host === '') throw wrong(`"host" must be a name or an address, found ${quote(host)}`)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`Cannot receive traces: "port" must be a number from 0 to 65535, found ${quote(port)}`)
  }
  if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))) {
    throw wrong('"token" must be a text of visible ASCII characters without spaces')
  }
  if (token === undefined && !/^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host)) {
    throw wrong(
      `on "${host}" everybody who reaches it could write traces\nHint: give a token that senders have to show, or listen on 127.0.0.1`,
    )
  }
  for (const [key, value] of Object.entries(limits)) {
    if (!Object.hasOwn(LIMITS, key)) throw wrong(`unknown limit "${key}"${didYouMean(key, Object.keys(LIMITS))}`)
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(
        `Cannot receive traces: the limit "${key}" must be a whole number above 0, found ${quote(value)}`,
      )
    }
  }
}
