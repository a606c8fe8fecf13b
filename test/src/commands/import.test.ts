import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

const RECORDED = fileURLToPath(new URL('../../data/mlflow-trace.json', import.meta.url))
const place = () => join(folder(), 'store.sqlite')

test('import says how much it brought, and that the second time changes nothing', async () => {
  const store = place()
  expect(await cli(['import', RECORDED, '--store', store, '--experiment', 'prod'])).toEqual({
    code: 0,
    out: `Imported 1 trace (4 spans, 6 assessments) into ${store}, experiment prod\n`,
    err: '',
  })
  expect((await cli(['import', RECORDED, '--store', store, '--experiment', 'prod'])).out).toBe(
    `Imported 0 traces into ${store}, experiment prod\n1 trace was there already\n`,
  )
  expect((await cli(['search', "feedback.correct = 'yes'", '--experiment', 'prod', '--store', store])).out).toContain(
    'tr-419cd40b27b36c6f2b321a25d89288a4',
  )
})

test('import prints as JSON what it did', async () => {
  const store = place()
  const { out } = await cli(['import', RECORDED, '--store', store, '--json', '--format', 'mlflow'])
  expect(JSON.parse(out)).toMatchObject({ store, imported: 1, known: 0, spans: 4, assessments: 6, mended: [] })
})

test('import lists what it mended, harmlessly, and not without end', async () => {
  const path = join(folder(), 'odd.json')
  const spans = Array.from({ length: 25 }, (_, i) => ({
    name: `\u001b[31mred ${i}`,
    traceId: String(i + 1).padStart(32, '0'),
    spanId: 'a'.repeat(16),
    parentSpanId: 'b'.repeat(16),
    startTime: [1, 0],
    endTime: [2, 0],
  }))
  writeFileSync(path, JSON.stringify(spans))
  const { out } = await cli(['import', path, '--store', place()])
  expect(out).not.toContain('\u001b')
  const lines = out.trimEnd().split('\n')
  expect(lines).toHaveLength(23)
  expect(lines.slice(1, 3).concat(lines.slice(-1))).toEqual([
    'Not taken over as it was:',
    `  trace tr-${'1'.padStart(32, '0')}: 1 span whose parent is not there, such as "\\u001b[31mred 0" (aaaaaaaaaaaaaaaa): without a parent now`,
    '  and 5 more; --json lists them',
  ])
})

test('import fails with one sentence', async () => {
  const { code, err } = await cli(['import', 'none.json', '--store', place()])
  expect([code, err]).toEqual([1, 'Cannot read traces of "none.json": there is no such file\n'])
  expect((await cli(['import', RECORDED, '--format', 'xml', '--store', place()])).err).toContain(
    'Cannot read traces as "xml": there is no such format',
  )
})
