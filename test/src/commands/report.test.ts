import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

async function stored() {
  const at = folder()
  const store = join(at, 'store.sqlite')
  const run = (name: string) =>
    evaluate([{ inputs: 1 }], () => true, [scorer('good', ({ outputs }) => outputs)], {
      store,
      name,
      gates: { good: { floor: 1 } },
    })
  const runs = [await run('one'), await run('two'), await run('one')]
  return { at, runs, ask: (...args: string[]) => cli(['report', '--store', store, ...args]) }
}

test.for([
  ['markdown', /^### ✅ 2 evaluations, gates: 2 passed\n/],
  ['junit', /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites name="vitest-evaluate" tests="2"/],
  ['metrics', /evaluation\{run="two",metric="good\/mean"\} 1\n[\s\S]*# EOF\n$/],
] as const)('report --format %s is about what was evaluated last', async ([format, wanted]) => {
  const { ask } = await stored()
  const { code, out, err } = await ask('--format', format)
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(wanted)
})

test('report --format json gives the records of the runs, the newest of each evaluation', async () => {
  const { ask, runs } = await stored()
  const { out } = await ask('--format', 'json')
  expect(JSON.parse(out).map(({ id }: any) => id)).toEqual([runs[1]?.id, runs[2]?.id])
  expect((await ask('--format', 'annotations')).out).toBe('')
})

test('report writes a file, of the runs that are named', async () => {
  const { at, ask, runs } = await stored()
  const path = join(at, 'summary.md')
  const { out } = await ask(runs[0]?.id as string, '--output', path)
  expect(out).toBe(`Wrote markdown of ${runs[0]?.id} to ${path}\n`)
  expect(readFileSync(path, 'utf8')).toContain(runs[0]?.id)
  const gone = await ask('--output', join(at, 'none', 'summary.md'))
  expect(gone.code).toBe(1)
  expect(gone.err).toContain('Cannot write')
  expect((await ask('--format', 'html')).code).toBe(1)
})
