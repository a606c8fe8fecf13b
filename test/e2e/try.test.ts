import { expect, test } from 'vitest'
import { project } from './project.ts'

test.for([5, 4] as const)('first %s', async (major) => {
  const p = project(major, {
    'a.test.ts': `import { test, expect } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'
test.concurrent('plain one', async ({ expect }) => { const r = await evaluate([{ inputs: 1 }, { inputs: 2 }], async (n) => n + 1, [scorer('even', ({ outputs }) => outputs % 2 === 0)]); expect(r.name).toBe('plain one') })
test.concurrent('plain two', async ({ expect }) => { const r = await evaluate([{ inputs: 1 }, { inputs: 2 }], async (n) => n + 1, [scorer('even', ({ outputs }) => outputs % 2 === 0)]); expect(r.name).toBe('plain two') })
`,
    'b.eval.ts': `import { expect } from 'vitest'
import { test } from 'vitest-evaluate/fixtures'
import { scorer } from 'vitest-evaluate'
test('bot', async ({ evaluate }) => {
  const rows = Array.from({ length: 50 }, (_, i) => ({ inputs: { q: 'question ' + i }, expectations: { a: 'Question ' + i } }))
  const run = await evaluate(rows, async ({ q }) => { if (q.endsWith('7')) throw new Error('down'); return q.toUpperCase() }, [scorer('short', ({ outputs }) => outputs.length < 11), scorer('length', ({ outputs }) => outputs.length), scorer('tone', ({ outputs }) => outputs.endsWith('1') ? 'rude' : 'kind')])
  expect(run.metrics['short/mean']).toBeGreaterThan(0)
  const bad = run.search('feedback.short = false')
  expect(await bad.count()).toBe(36)
  const again = await evaluate(bad, async ({ q }) => q.slice(0, 3), [scorer('short2', ({ outputs }) => outputs.length < 11)])
  expect(again.parentRunId).toBe(run.id)
})
`,
  })
  const r = await p.vitest('run')
  console.log(r.stdout, r.stderr, r.code)
  const s = await p.cli('runs')
  console.log(s.stdout, s.stderr)
  const t = await p.cli('show', 'bot', '12')
  console.log(t.stdout, t.stderr)
  const l = await p.vitest('list')
  console.log(l.stdout, l.stderr)
  const l2 = await p.vitest('run', '--project', 'evals')
  console.log(l2.stdout.slice(0, 300), l2.stderr.slice(0, 2000))
})
