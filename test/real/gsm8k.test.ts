import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { numeric } from '../../src/scorers/index.ts'
import { jsonl } from '../../src/sources/jsonl.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { evaluate } from '../../src/workspace.ts'

// 300 problems with the recorded answers of four systems (Cobbe et al. 2021); the authors mark 71, 118, 113 and 170 as correct.
const DATA = new URL('../../../shared/data/gsm8k-solutions/solutions.jsonl', import.meta.url)
const SYSTEMS = {
  '6b_finetuning': 71,
  '6b_verification': 118,
  '175b_finetuning': 113,
  '175b_verification': 170,
} as const

/** The final number of a solution stands after its last "A:". */
const correct = numeric({ name: 'correct', extract: /A:(.*)/, output: (outputs) => (outputs as Answer).solution })

interface Answer {
  readonly solution: string
}

const solutions = (system: string) =>
  jsonl(DATA, {
    columns: { inputs: ['question'], outputs: system, expectations: { expected_response: 'ground_truth' } },
  })

test.skipIf(!existsSync(DATA))(
  'a numeric scorer finds as many correct solutions as the authors, in every system',
  async () => {
    const store = sqlite(join(mkdtempSync(join(tmpdir(), 'gsm8k-')), 'store.sqlite'))
    for (const [system, marked] of Object.entries(SYSTEMS)) {
      const run = await evaluate(solutions(system), [correct], { name: system, store })
      expect(run.totals).toMatchObject({ rows: 300, failed: 0 })
      expect(run.columns.correct, system).toMatchObject({ passed: marked, scored: 300, missing: 0, errors: 0 })
      expect(await run.search("feedback.correct = 'yes'").count(), system).toBe(marked)
    }
    expect(await store.listRuns()).toHaveLength(4)
    await store.close()
  },
)

test.skipIf(!existsSync(DATA))('the runs of four systems stand side by side, row by row', async () => {
  const store = memory()
  const verdicts = new Map<string, string[]>()
  for (const system of Object.keys(SYSTEMS)) {
    const run = await evaluate(solutions(system), [correct], { name: system, store })
    for await (const { id, feedback } of run.rows()) {
      verdicts.set(id, [...(verdicts.get(id) ?? []), String(feedback.correct?.value)])
    }
  }
  const rows = [...verdicts.values()]
  expect(rows).toHaveLength(300)
  expect(rows.every((row) => row.length === 4)).toBe(true)
  const flipped = (from: number, to: number) => rows.filter((row) => row[from] === 'no' && row[to] === 'yes').length
  // What verification gains over fine-tuning at 175B, net of what it loses, is the difference of the published counts.
  expect(flipped(2, 3) - flipped(3, 2)).toBe(170 - 113)
  expect(flipped(3, 2)).toBeGreaterThan(0)
})

if (!existsSync(DATA)) console.warn(`skipped: the real data is not at ${DATA.pathname}`)
