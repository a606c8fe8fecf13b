import { afterEach, expect, test, vi } from 'vitest'
import {
  clearTimer,
  DeadlineError,
  isThenable,
  LazySignal,
  momentOf,
  monotonicMs,
  nowMs,
  nowNs,
  setTimer,
  sleep,
  withDeadline,
} from '../../../src/std/async.ts'

const ALL = ['setTimeout', 'clearTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'] as const

afterEach(() => {
  vi.useRealTimers()
})

const forever = new Promise<never>(() => {})

test('sleep() ends although timers are fake', async () => {
  vi.useFakeTimers({ toFake: [...ALL] })
  const started = monotonicMs()
  await sleep(20)
  expect(monotonicMs() - started).toBeGreaterThanOrEqual(18)
})

test('withDeadline() ends although timers are fake', async () => {
  vi.useFakeTimers({ toFake: [...ALL] })
  await expect(withDeadline(forever, 10, new LazySignal(), undefined)).rejects.toThrow('did not finish within 10 ms')
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

test('withDeadline() settles with the work', async () => {
  await expect(withDeadline(Promise.resolve(5), 1_000, new LazySignal(), undefined)).resolves.toBe(5)
  await expect(withDeadline(Promise.reject(new Error('x')), 1_000, new LazySignal(), undefined)).rejects.toThrow('x')
  await expect(
    withDeadline(
      sleep(5).then(() => 6),
      0,
      new LazySignal(),
      undefined,
    ),
  ).resolves.toBe(6)
})

test('withDeadline() aborts the work that is late', async () => {
  const lazy = new LazySignal()
  const { signal } = lazy
  const thrown = await withDeadline(forever, 5, lazy, undefined).catch((reason: unknown) => reason)
  expect(thrown).toBeInstanceOf(DeadlineError)
  expect(thrown).toMatchObject({ name: 'DeadlineError', timeoutMs: 5 })
  expect(signal.aborted).toBe(true)
  expect(signal.reason).toBe(thrown)
})

test('withDeadline() gives up with the outer signal, also one that is aborted already', async () => {
  const outer = new AbortController()
  const lazy = new LazySignal()
  const late = withDeadline(forever, 0, lazy, outer.signal)
  outer.abort('stop')
  await expect(late).rejects.toBe('stop')
  expect(lazy.signal.reason).toBe('stop')
  await expect(withDeadline(forever, 0, new LazySignal(), outer.signal)).rejects.toBe('stop')
})

test('withDeadline() looks at a rejection that comes after the end', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const failing = (): Promise<never> => sleep(10).then(() => Promise.reject(new Error('late')))
    await expect(withDeadline(failing(), 1, new LazySignal(), undefined)).rejects.toThrow(DeadlineError)
    await expect(withDeadline(failing(), 0, new LazySignal(), AbortSignal.abort('stop'))).rejects.toBe('stop')
    await sleep(30)
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
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
