import { afterEach, expect, test, vi } from 'vitest'
import {
  clearTimer,
  isThenable,
  LazySignal,
  momentOf,
  monotonicMs,
  nowMs,
  nowNs,
  setTimer,
  sleep,
} from '../../../src/std/async.ts'

const ALL = ['setTimeout', 'clearTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'] as const

afterEach(() => {
  vi.useRealTimers()
})

test('sleep() ends although timers are fake', async () => {
  vi.useFakeTimers({ toFake: [...ALL] })
  const started = monotonicMs()
  await sleep(20)
  expect(monotonicMs() - started).toBeGreaterThanOrEqual(18)
})

test('nowMs(), monotonicMs(), nowNs() go on although the clock is fake', async () => {
  vi.useFakeTimers({ toFake: [...ALL], now: 0 })
  expect(Date.now()).toBe(0)
  expect(nowMs()).toBeGreaterThan(1.7e12)
  const [ms, ns] = [monotonicMs(), nowNs()]
  await sleep(5)
  expect(monotonicMs()).toBeGreaterThan(ms)
  expect(nowNs()).toBeGreaterThan(ns)
})

test('nowNs() stands within 250 ms of the wall clock', () => {
  expect(Math.abs(Number(nowNs() / 1_000_000n) - Date.now())).toBeLessThan(250)
})

test('momentOf() splits a reading into milliseconds and nanoseconds', () => {
  const start = momentOf(0).ms
  expect(momentOf(12.25)).toEqual({ ms: start + 12, subNs: 250_000 })
  expect(momentOf(12.9999999)).toEqual({ ms: start + 12, subNs: 999_999 })
})

test('sleep() is ended by an abort with its reason, at once and beforehand', async () => {
  const reason = new Error('enough')
  const controller = new AbortController()
  const waiting = sleep(60_000, controller.signal)
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  await expect(sleep(60_000, controller.signal)).rejects.toBe(reason)
})

test('sleep() leaves no listener behind', async () => {
  const { signal } = new AbortController()
  const removed = vi.spyOn(signal, 'removeEventListener')
  await sleep(1, signal)
  expect(removed).toHaveBeenCalledTimes(1)
})

test('setTimer() longer than a timer can be does not fire at once', async () => {
  let fired = false
  const timers = [1e10, Number.POSITIVE_INFINITY].map((ms) =>
    setTimer(() => {
      fired = true
    }, ms),
  )
  await sleep(30)
  timers.forEach(clearTimer)
  expect(fired).toBe(false)
})

test('LazySignal tells who asks before the abort and who asks after it', () => {
  const early = new LazySignal()
  const { signal } = early
  expect(signal.aborted).toBe(false)
  early.abort('first')
  early.abort('second')
  expect(signal.reason).toBe('first')
  const late = new LazySignal()
  late.abort('gone')
  expect(late.signal.reason).toBe('gone')
  expect(late.signal).toBe(late.signal)
})

test.each<[unknown, boolean]>([
  [Promise.resolve(), true],
  [JSON.parse('{"then":1}'), false],
  [Object.fromEntries([['then', () => {}]]), true],
  [null, false],
  ['then', false],
])('isThenable() of %s is %s', (value, wanted) => {
  expect(isThenable(value)).toBe(wanted)
})
