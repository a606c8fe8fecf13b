import { hash, randomFillSync } from 'node:crypto'
import { nowMs } from './async.ts'

const POOL = Buffer.allocUnsafe(8_192)
let used = POOL.length

function randomHex(bytes: number): string {
  if (used + bytes > POOL.length) {
    randomFillSync(POOL)
    used = 0
  }
  const text = POOL.toString('hex', used, used + bytes)
  used += bytes
  return text
}

let lastMs = 0
let lastMsHex = ''

function timeHex(): string {
  const ms = nowMs()
  if (ms !== lastMs) {
    lastMs = ms
    lastMsHex = ms.toString(16).padStart(12, '0')
  }
  return lastMsHex
}

/**
 * Gives `tr-` and 32 hex digits, an OpenTelemetry trace id. The first 12 digits are the time, so that ids made one after
 * another stand side by side in an index; the other 20 are random.
 */
export function newTraceId(): string {
  return `tr-${timeHex()}${randomHex(10)}`
}

/** Gives 16 hex digits, an OpenTelemetry span id. */
export function newSpanId(): string {
  return randomHex(8)
}

/** Gives `run_` and 18 hex digits, sortable by time. */
export function newRunId(): string {
  return `run_${timeHex()}${randomHex(3)}`
}

/**
 * Gives a number in [0, 1) that depends on nothing but the two texts: the top 53 bits of SHA-256(domain, 0, id) over 2^53.
 * The same on every machine, so that samples are nested and repeatable.
 */
export function unitHash(domain: string, id: string): number {
  const digest = hash('sha256', `${domain}\0${id}`, 'buffer')
  return (digest.readUInt32BE(0) * 2 ** 21 + (digest.readUInt32BE(4) >>> 11)) / 2 ** 53
}

/** Gives a generator of numbers in [0, 1), the same ones for the same seed everywhere: sfc32, its state made by splitmix32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  const word = (): number => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
  let [a, b, c, counter] = [word(), word(), word(), 1]
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return next
}
