import { nowMs } from './async.ts'

/** What clients throw when a server or the way to it fails. */

const NETWORK_CODES =
  /^(ECONNRESET|ECONNREFUSED|ECONNABORTED|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|UND_ERR_(CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET|CLOSED|DESTROYED))$/

/** True for 408, 429, 5xx and faults of the network, however a client reports them: the same call may succeed later. */
export function isInfrastructureFault(thrown: unknown, depth = 0): boolean {
  if (typeof thrown !== 'object' || thrown === null || depth > 4) return false
  const { status, statusCode, code, response, cause, name } = thrown as Record<string, any>
  const http = Number(status ?? statusCode ?? response?.status)
  if (http === 408 || http === 429 || (http >= 500 && http <= 599)) return true
  if (typeof code === 'string' && NETWORK_CODES.test(code)) return true
  if (typeof name === 'string' && /^APIConnection(Timeout)?Error$/.test(name)) return true
  return isInfrastructureFault(cause, depth + 1)
}

/** Gives how long a server asked to wait, milliseconds: reads `retry-after-ms`, and `Retry-After` as seconds or as a date, from wherever clients put the response's headers. */
export function retryAfterMs(thrown: unknown): number | undefined {
  const { headers, response, retryAfter } = thrown as Record<string, any>
  const read = (name: string): unknown => {
    for (const place of [headers, response?.headers]) {
      const value = typeof place?.get === 'function' ? place.get(name) : place?.[name]
      if (value !== undefined && value !== null) return value
    }
    return undefined
  }
  const ms = Number(read('retry-after-ms') ?? Number.NaN)
  if (ms >= 0) return ms
  const text = read('retry-after') ?? read('Retry-After') ?? retryAfter
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (seconds >= 0) return seconds * 1_000
  const date = Date.parse(String(text))
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs())
}
