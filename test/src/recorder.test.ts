import { expect, test } from 'vitest'
import { Recording, TraceRecorder } from '../../src/recorder.ts'
import { rootSpanId } from '../../src/trace.ts'
import { span } from '../../src/tracer.ts'

test('TraceRecorder.knows() its root and its spans', () => {
  const recorder = new TraceRecorder()
  let id = ''
  recorder.run(() => {
    id = recorder.place.spanId
    span('a', () => 1)
  })
  expect(id).toBe(rootSpanId(recorder.id))
  expect([recorder.knows(id), recorder.knows('0000000000000000')]).toEqual([true, false])
})

test('TraceRecorder.waits while a span is open', () => {
  const recorder = new TraceRecorder()
  recorder.run(() => {
    expect(recorder.waits).toBe(false)
    span('a', () => expect(recorder.waits).toBe(true))
  })
  expect(recorder.waits).toBe(false)
})

test('TraceRecorder.finish() gives the session that a span names', () => {
  const recorder = new TraceRecorder()
  recorder.run(() => {
    span('a', () => 1)
    span('b', { attributes: { 'session.id': 's-1' } }, () => 1)
    span('c', { attributes: { 'session.id': 's-2' } }, () => 1)
  })
  expect(recorder.finish(1).sessionId).toBe('s-1')
  expect(new TraceRecorder().finish(1)).not.toHaveProperty('sessionId')
})

test('a closed TraceRecorder counts what comes, and keeps none of it', () => {
  const recording = new Recording()
  const recorder = new TraceRecorder(recording)
  recorder.run(() => {
    recorder.close()
    expect(span('late', () => 7)).toBe(7)
  })
  expect(recorder.finish(1).spans).toBe('')
  expect(recording).toEqual({ calls: 1, arrived: 0, late: 1 })
})
