import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { farewellLine, resumeLine } from '../../reporters/farewell.ts'

const progress = { runId: 'run_1', name: 'slow', done: 1_420, total: 4_000, failed: 0, errors: 0, elapsedMs: 2_000 }
const going = { testId: 't', file: 'qa/slow.eval.ts', progress }

test('farewellLine() says how many rows there are at least, and how to go on', () => {
  const resume = 'resume: VITEST_EVALUATE_RESUME=1 npx vitest run qa/slow.eval.ts'
  expect(farewellLine(going)).toBe(`slow: interrupted after at least 1,420 of 4,000 rows · ${resume}`)
  expect(farewellLine(going, 1_500)).toContain('at least 1,500 of 4,000 rows')
  const { total: _, ...endless } = progress
  expect(farewellLine({ ...going, progress: { ...endless, done: 1 } })).toContain('after at least 1 row ·')
})

test.for([['slow.eval.ts'], ["o'clock $(echo no).eval.ts"], ['a b/`c`.eval.ts']])(
  'resumeLine() names %j so that a shell passes it on as it is',
  ([file = '']) => {
    const command = resumeLine(file).replace(/^resume: VITEST_EVALUATE_RESUME=1 npx vitest run /, '')
    expect(execFileSync('sh', ['-c', `printf %s ${command}`], { encoding: 'utf8' })).toBe(file)
  },
)

test('farewellLine() is one line, whatever the names', () => {
  const hostile = { ...going, file: 'a\nb.eval.ts', progress: { ...progress, name: 'x\u001b[31m\ny' } }
  expect(farewellLine(hostile)).not.toMatch(/[\u0000-\u001f]/)
})
