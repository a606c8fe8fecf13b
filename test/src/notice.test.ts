import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import { noticesOf } from '../../src/notice.ts'
import { EvaluateSpanProcessor } from '../../src/processor.ts'
import { Recording } from '../../src/recorder.ts'
import { sleep } from '../../src/std/async.ts'
import { span } from '../../src/tracer.ts'
import { evaluation } from '../data/evaluation.ts'

function recording(counts: Partial<Recording>): Recording {
  return Object.assign(new Recording(), counts)
}
const theirs = { foreign: true, stop() {} }
const ours = { foreign: false, stop() {} }

test('noticesOf() says nothing where there is nothing to say', () => {
  expect(noticesOf(recording({ calls: 5 }), undefined, undefined)).toEqual({})
  expect(noticesOf(recording({ calls: 5 }), ours, undefined)).toEqual({})
  expect(noticesOf(recording({ calls: 5, arrived: 1 }), theirs, undefined)).toEqual({})
  // Every answer was taken over from an earlier run.
  expect(noticesOf(recording({ calls: 0 }), theirs, undefined)).toEqual({})
})

test('noticesOf() says what to do where no span of the app has arrived', () => {
  const message = () => noticesOf(recording({ calls: 5 }), theirs, undefined).notices?.map((notice) => notice.message)
  expect(message()).toEqual([
    'the app has an OpenTelemetry provider, but none of its spans has reached a trace: add new EvaluateSpanProcessor() from vitest-evaluate/otel to its span processors',
  ])
  new EvaluateSpanProcessor()
  expect(message()).toEqual([expect.stringContaining('or its EvaluateSpanProcessor belongs to another provider')])
})

test('noticesOf() counts what came too late', () => {
  const late = (count: number) => noticesOf(recording({ calls: 5, late: count }), ours, undefined).notices
  expect(late(1)).toEqual([{ code: 'SPANS_LATE', message: '1 span began after its row had ended, and is in no trace' }])
  expect(late(2)).toEqual([
    { code: 'SPANS_LATE', message: '2 spans began after their rows had ended, and are in no trace' },
  ])
})

test('a run has its notices, and is none the worse for them', async () => {
  let tail: Promise<void> | undefined
  const run = await runEvaluation(
    evaluation({
      data: [{ inputs: 1 }, { inputs: 2 }],
      maxConcurrency: 1,
      predict: async (n) => {
        if (n === 1) tail = sleep(5).then(() => span('late', () => {}))
        else await sleep(20)
        return n
      },
    }),
  )
  await tail
  expect(run).toMatchObject({ status: 'finished', problems: [], notices: [{ code: 'SPANS_LATE' }] })
})
