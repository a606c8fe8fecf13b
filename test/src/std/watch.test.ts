import { afterEach, expect, test, vi } from 'vitest'
import { DeadlineError, LazySignal, monotonicMs, sleep } from '../../../src/std/async.ts'
import { Watch } from '../../../src/std/watch.ts'

afterEach(() => {
  vi.useRealTimers()
})

const forever = new Promise<never>(() => {})

test('Watch.run() settles with the work', async () => {
  const watch = new Watch()
  await expect(watch.run(Promise.resolve(1), 1_000, new LazySignal())).resolves.toBe(1)
  await expect(watch.run(Promise.reject(new Error('x')), 1_000, new LazySignal())).rejects.toThrow('x')
  watch.close()
})

test('Watch.run() ends each work at its own time, the shorter one first, under fake timers too', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  const watch = new Watch()
  const ended: number[] = []
  const started = monotonicMs()
  const wait = (timeoutMs: number) =>
    watch.run(forever, timeoutMs, new LazySignal()).catch((thrown: DeadlineError) => ended.push(thrown.timeoutMs))
  await Promise.all([wait(60), wait(15), wait(30), wait(15)])
  expect(ended).toEqual([15, 15, 30, 60])
  expect(monotonicMs() - started).toBeGreaterThanOrEqual(59)
  watch.close()
})

test('Watch.run() with 0 or more than a timer can hold never ends the work', async () => {
  const watch = new Watch()
  let ended = 0
  for (const timeoutMs of [0, 1e12, Number.MAX_SAFE_INTEGER]) {
    void watch.run(forever, timeoutMs, new LazySignal()).catch(() => ended++)
  }
  await sleep(40)
  expect(ended).toBe(0)
  watch.close()
})

test('Watch.run() aborts what is late, and only that', async () => {
  const watch = new Watch()
  const [late, quick] = [new LazySignal(), new LazySignal()]
  const work = watch.run(forever, 5, late)
  await watch.run(sleep(1), 5, quick)
  await expect(work).rejects.toBeInstanceOf(DeadlineError)
  expect(late.signal.aborted).toBe(true)
  expect(quick.signal.aborted).toBe(false)
  watch.close()
})

test('Watch gives everything up with the outer signal, and what comes later too', async () => {
  const outer = new AbortController()
  const watch = new Watch(outer.signal)
  const lazy = new LazySignal()
  const works = [watch.run(forever, 0, lazy), watch.run(forever, 1_000, new LazySignal())]
  outer.abort('stop')
  for (const work of works) await expect(work).rejects.toBe('stop')
  expect(lazy.signal.reason).toBe('stop')
  await expect(watch.run(forever, 0, new LazySignal())).rejects.toBe('stop')
  watch.close()
})

test('Watch looks at a rejection that comes after the end', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const failing = (): Promise<never> => sleep(10).then(() => Promise.reject(new Error('late')))
    const watch = new Watch(AbortSignal.abort('stop'))
    await expect(watch.run(failing(), 0, new LazySignal())).rejects.toBe('stop')
    const other = new Watch()
    await expect(other.run(failing(), 1, new LazySignal())).rejects.toBeInstanceOf(DeadlineError)
    await sleep(30)
    expect(unhandled).toEqual([])
    other.close()
  } finally {
    process.off('unhandledRejection', note)
  }
})

test('Watch.close() keeps no timer and no listener', () => {
  const { signal } = new AbortController()
  const removed = vi.spyOn(signal, 'removeEventListener')
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const watch = new Watch(signal)
  void watch.run(forever, 60_000, new LazySignal())
  expect(timers()).toBe(before + 1)
  watch.close()
  expect(timers()).toBe(before)
  expect(removed).toHaveBeenCalledTimes(1)
})
