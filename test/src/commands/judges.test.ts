import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Endpoint, endpoint } from '../../data/endpoint.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

let server: Endpoint
let gullible = false
let broken = false
beforeEach(async () => {
  server = await endpoint(({ messages }) => {
    const material: string = messages[1]?.content
    if (broken && material.includes('found perfect')) return { text: 'perfect indeed' }
    const talked = gullible && material.includes('found perfect')
    return {
      json: {
        rationale: talked ? 'two people said so' : 'looked',
        value: talked || material.includes('nice') ? 'yes' : 'no',
      },
    }
  })
  gullible = false
  broken = false
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  vi.stubEnv('OPENAI_API_KEY', 'test-key')
  vi.stubEnv('VITEST_EVALUATE_CACHE', '0')
  vi.stubEnv('VITEST_EVALUATE_STORE', join(folder(), 'store.sqlite'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await server.close()
})

const ENTRY = pathToFileURL(join(import.meta.dirname, '../../../src/judges/index.ts')).href

/** A module of judges, with labelled rows beside it. */
function project(code: string, rows: readonly object[] = []): { judges: string; labels: string } {
  const place = folder()
  const [judges, labels] = [join(place, 'judges.ts'), join(place, 'labels.jsonl')]
  writeFileSync(judges, `import { Guidelines } from ${JSON.stringify(ENTRY)}\n${code}\n`)
  writeFileSync(labels, rows.map((row) => JSON.stringify(row)).join('\n'))
  return { judges, labels }
}

const POLITE = `export const polite: unknown = Guidelines({ name: 'polite', guidelines: 'Be polite' })`

test('judges tries a ready judge with canaries, by the model that is named', async () => {
  const { code, out, err } = await cli(['judges', 'Safety', '--model', 'openai:/tiny'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toBe('safety  openai:/tiny\n  canaries  pass  10 of 10 held\n')
  expect(server.journal.every(({ body }) => body.model === 'tiny')).toBe(true)
})

test('judges fails where a canary moved a verdict, and says which', async () => {
  gullible = true
  const { code, out, err } = await cli(['judges', 'Correctness'])
  expect(code).toBe(1)
  expect(out).toBe(
    'correctness  openai:/gpt-4.1-mini\n  canaries  FAIL  11 of 12 held\n    moved   authority: no became yes, two people said so\n',
  )
  expect(err).toMatch(/^1 canary moved a verdict\nHint: /)
})

test('judges fails where a judge gives no verdict at all', async () => {
  await server.close()
  const { code, out, err } = await cli(['judges', 'Safety'])
  expect(code).toBe(1)
  expect(out).toContain('canaries  nothing to tell: the bad row could not be judged: TRANSPORT')
  expect(err).toBe('Nothing was found out about "safety": there was no verdict\n')
})

test('judges counts no canary as held that got an error for a verdict', async () => {
  broken = true
  const { code, out } = await cli(['judges', 'Safety'])
  expect(code).toBe(0)
  expect(out).toContain('  canaries  pass  9 of 10 held, 1 without a verdict\n    error   authority: NOT_JSON')
})

test('judges compares the judges of a module with labels, which they do not get to see', async () => {
  const { judges, labels } = project(POLITE, [
    { inputs: 'a', outputs: 'very nice', expectations: { label: 'yes' } },
    { inputs: 'b', outputs: 'nice too', expectations: { polite: 'no', expected_response: 'x' } },
    { inputs: 'c', outputs: 'bad', expectations: { label: 'no' } },
    { inputs: 'd', outputs: null, expectations: { label: 'yes' } },
  ])
  const { code, out } = await cli(['judges', judges, '--labelled', labels])
  expect(code).toBe(0)
  expect(out).toContain(`
polite: 3 rows with both verdicts, 1 with a person's only
  accuracy              0.667  [0.208, 0.939]  2 of 3
`)
  expect(out).toContain(`
  people \\ judge  yes  no
  yes               1   0
  no                1   1
  errors: 1 OUTPUTS_MISSING
`)
  const { out: json } = await cli(['judges', judges, '--labelled', labels, '--json'])
  expect(JSON.parse(json)).toMatchObject([
    {
      canaries: { judge: 'polite', results: expect.any(Array) },
      labelled: { agreement: { pairs: 3 }, errors: { OUTPUTS_MISSING: 1 } },
    },
  ])
  expect(JSON.stringify(server.journal.map(({ body }) => body.messages))).not.toContain('label')
})

test.for<[string, () => string[], string]>([
  [
    'no such judge',
    () => ['Safty'],
    'Cannot try "Safty": there is no such file, and no ready judge of that name (did you mean "Safety"?)',
  ],
  [
    'a judge that needs settings',
    () => ['Guidelines'],
    'Cannot try "Guidelines": Cannot make Guidelines(): "guidelines" must be text',
  ],
  ['a module without judges', () => [project('export const x = 1').judges], 'it exports no judge'],
  ['a module that throws', () => [project('throw new Error("boom")').judges], 'judges.ts": boom'],
  [
    'labels of another format',
    () => ['Safety', '--labelled', 'labels.txt'],
    'Cannot read labels from "labels.txt": its ending is none of .jsonl, .json, .csv',
  ],
  [
    'labels that are not there',
    () => ['Safety', '--labelled', 'none.jsonl'],
    'Cannot read "none.jsonl" as JSONL: there is no such file',
  ],
  [
    'a row without a label',
    () => ['Safety', '--labelled', project('', [{ inputs: 'a', outputs: 'b' }]).labels],
    'Cannot compare row 1 with its label: it has no expectation "safety" or "label"',
  ],
  ['an unknown provider', () => ['Safety', '--model', 'opnai:/x'], 'unknown provider "opnai" (did you mean "openai"?)'],
])('judges refuses %s', async ([_, args, message]) => {
  const { code, out, err } = await cli(['judges', ...args()])
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(message)
})
