import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveTraces, disableTraceArchival, enableTraceArchival } from 'vitest-evaluate/monitor'
import { ANSWERS, EXPERIMENT, produce } from './production.ts'

test('traces are archived to a Delta table, until that is switched off', async () => {
  const table = join(mkdtempSync(join(tmpdir(), 'archive-')), 'archived_traces')
  await produce()

  // Archive the traces of an experiment; a table that is not there is made.
  await enableTraceArchival({ table, experiment: EXPERIMENT })

  // What `vitest-evaluate monitor` does on a schedule.
  expect(await archiveTraces()).toMatchObject([{ rows: ANSWERS.length }])
  expect(existsSync(join(table, '_delta_log'))).toBe(true)
  expect(readdirSync(table).some((name) => name.startsWith('date='))).toBe(true)

  // Stop it.
  expect(await disableTraceArchival({ experiment: EXPERIMENT })).toBe(true)
  await produce()
  expect(await archiveTraces()).toEqual([])
})
