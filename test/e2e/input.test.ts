import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { type Project, project } from './project.ts'

/** What goes wrong with data, scorers and stores is one clear error each; what is merely odd is kept as it is. */

const records = async (p: Project): Promise<RunRecord[]> =>
  JSON.parse((await p.cli('runs', '--json', '--limit', '100')).stdout)

/** What each test evaluates, and the one error that it ends with. */
const BAD: Readonly<Record<string, readonly [call: string, error: string]>> = {
  'empty list': ['[], same, [ok]', 'EvaluationError: Cannot evaluate "empty list": the data has no rows'],
  'empty file': [
    "jsonl('empty.jsonl'), same, [ok]",
    'EvaluationError: Cannot evaluate "empty file": the data has no rows',
  ],
  'only a header': [
    "csv('header.csv'), same, [ok]",
    'EvaluationError: Cannot evaluate "only a header": the data has no rows',
  ],
  'no object': [
    "[{ inputs: 1 }, 'text'], same, [ok]",
    'TypeError: Cannot evaluate row 2: expected an object with "inputs", "outputs" or "trace", found "text"',
  ],
  'no inputs': [
    "[{ question: 'a' }], same, [ok]",
    'TypeError: Cannot evaluate row 1: expected "inputs", "outputs" or "trace", found an object with question',
  ],
  'no file': ["csv('qa.csv'), same, [ok]", 'EvaluationError: Cannot read "qa.csv" as CSV: there is no such file'],
  folder: ["jsonl('data'), same, [ok]", 'EvaluationError: Cannot read "data" as JSONL: it is a folder'],
  'half a line': ["jsonl('half.jsonl'), same, [ok]", 'EvaluationError: Cannot read "half.jsonl" as JSONL: line 4'],
  'not UTF-8': ["csv('latin.csv'), same, [ok]", 'EvaluationError: Cannot read "latin.csv" as CSV: line 3'],
  'half a table': ["parquet('half.parquet'), same, [ok]", 'EvaluationError: Cannot read "half.parquet" as Parquet: '],
  'scorer class': ['rows, same, [ok, Mine]', 'TypeError: Cannot evaluate: scorer 2 of 2 is the class Mine'],
  'plain function': ['rows, same, [same]', 'TypeError: Cannot evaluate: scorer 1 of 1 is the plain function same'],
  'one name twice': [
    "rows, same, [ok, scorer('ok', () => 1)]",
    'TypeError: Cannot evaluate: scorer 2 of 2 is called "ok", as is scorer 1',
  ],
  'no database': ["rows, same, [ok], { store: 'notes.txt' }", 'notes.txt": it is not a database'],
  'newer store': ["rows, same, [ok], { store: 'newer.sqlite' }", 'newer.sqlite": its format is version 99'],
}

const SUITE = `
import { csv, jsonl, parquet, Scorer, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

class Mine extends Scorer {
  name = 'mine'
  score() { return true }
}
const ok = scorer('ok', () => true)
const rows = [{ inputs: 1 }]
let calls = 0
async function same(n: unknown) { calls++; return n }

${Object.entries(BAD)
  .map(([name, [call]]) => `test('${name}', async ({ evaluate }) => { await evaluate(${call}) })`)
  .join('\n')}
test('afterwards', async ({ evaluate, expect }) => {
  expect(calls).toBe(4)
  await evaluate(rows, same, [ok])
})`

test.for([5, 4] as const)(
  'everything that is bad is one clear error under Vitest %i, and nothing is lost',
  async (major) => {
    const p = project(major, {
      'bad.eval.ts': SUITE,
      'empty.jsonl': '',
      'header.csv': 'inputs.q\n',
      'data/readme': '',
      'half.jsonl': '{"inputs":1}\n{"inputs":2}\n{"inputs":3}\n{"inputs":',
      'notes.txt': 'my notes, which are longer than a header '.repeat(50),
    })
    writeFileSync(join(p.folder, 'latin.csv'), Buffer.from('inputs.q\na\ncaf\xe9\n', 'latin1'))
    const data = Array.from({ length: 100 }, (_, i) => `question ${i}`)
    const table = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'inputs.q', data, type: 'STRING' }] }))
    writeFileSync(join(p.folder, 'half.parquet'), table.subarray(0, table.length / 2))
    const db = new DatabaseSync(join(p.folder, 'newer.sqlite'))
    db.exec(`PRAGMA application_id = ${applicationId()}; PRAGMA user_version = 99; CREATE TABLE runs (id TEXT)`)
    db.close()

    const { code, stdout, stderr } = await p.vitest('run')
    expect(code, stdout).toBe(1)
    const names = Object.keys(BAD)
    expect(stdout).toMatch(new RegExp(`Tests {2}${names.length} failed \\| 1 passed`))
    expect(stderr).not.toContain('Unhandled')
    // One error per test, however Vitest groups those that are alike.
    const [, ...failures] = stderr.split('\n FAIL ')
    for (const [name, [, error]] of Object.entries(BAD)) {
      const own = failures.filter((text) => text.split('\n')[0]?.endsWith(`bad.eval.ts > ${name}`))
      expect(own, name).toHaveLength(1)
      expect(own[0], name).toContain(error)
    }
    expect(failures).toHaveLength(names.length)

    // What had begun is kept with the rows before the fault, and marked.
    expect((await records(p)).map(({ name, status, totals }) => [name, status, totals.rows]).toSorted()).toEqual([
      ['afterwards', 'finished', 1],
      ['half a line', 'failed', 3],
      ['not UTF-8', 'failed', 1],
    ])
    expect(stdout).toMatch(/\n half a line {3}3 rows .*\n ! FAILED: Cannot read "half.jsonl" as JSONL: line 4/)
    expect(readFileSync(join(p.folder, 'notes.txt'), 'utf8')).toMatch(/^my notes/)
  },
)

function applicationId(): number {
  const schema = readFileSync(new URL('../../src/stores/sqlite/schema.ts', import.meta.url), 'utf8')
  return Number(schema.match(/APPLICATION_ID = (\w+)/)?.[1])
}

const ODD = `
import { expect } from 'vitest'
import { feedback, openRun, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

const NAMES = ['__proto__', '../x', 'two\\nlines\\u001b[31m', 'l' + 'o'.repeat(10_000) + 'ng']
const scorers = NAMES.map((name) => scorer(name, ({ inputs }) => feedback({ value: inputs > 0, rationale: name })))

const big = 'text with an é '.repeat(3_500_000)
const cycle: Record<string, unknown> = {}
cycle.self = cycle
const OUTPUTS = [undefined, 2n ** 70n, big, () => 1, cycle, 'last']

test('odd values', async ({ evaluate }) => {
  const rows = OUTPUTS.map((_, inputs) => ({ inputs }))
  const run = await evaluate(rows, async (i) => OUTPUTS[i], [scorers[0]], { allowFailed: 2 })
  await run.export('out.jsonl')
  for (const again of [run, await openRun('out.jsonl')]) {
    const kept = await Array.fromAsync(again.rows())
    expect(kept.map(({ outputs }, i) => outputs === OUTPUTS[i])).toEqual([true, true, true, false, false, true])
    expect(kept.map(({ error }) => error?.message)).toEqual([
      undefined, undefined, undefined, 'outputs is a function, which cannot be kept', 'outputs.self is part of a cycle, which cannot be kept', undefined,
    ])
  }
})

test.for(NAMES)('%s', async (name, { evaluate }) => {
  const rows = [{ id: name, inputs: 0, tags: { [name]: name } }, { inputs: 1 }]
  const run = await evaluate(rows, (i) => i, scorers, { name, tags: { [name]: name }, experiment: name })
  expect(Object.keys(run.columns)).toEqual(NAMES)
  expect(NAMES.map((one) => run.metrics[one + '/mean'])).toEqual([0.5, 0.5, 0.5, 0.5])
  for (const ending of ['jsonl', 'arrow', 'csv', 'parquet']) await run.export('names/' + NAMES.indexOf(name) + '.' + ending)
  for (const path of ['names/' + NAMES.indexOf(name) + '.jsonl', 'names/' + NAMES.indexOf(name) + '.arrow']) {
    const again = await openRun(path)
    expect([again.name, again.record.experiment, Object.keys(again.columns)]).toEqual([name, name, NAMES])
  }
})`

test.for([5, 4] as const)(
  'odd values and names are kept as they are under Vitest %i, and break no table and no file',
  async (major) => {
    const p = project(major, { 'odd.eval.ts': ODD })
    const { code, stdout, stderr } = await p.vitest('run')
    expect([code, stderr], stdout.slice(0, 5_000)).toEqual([0, ''])
    const tables = stdout.slice(stdout.indexOf(' Duration ')).split('\n')
    expect(tables.filter((line) => line.length > 100).map((line) => line.slice(0, 200))).toEqual([])
    expect(tables.join('')).not.toContain('\u001b')
    expect(stdout.match(/\n stored in \.vitest\/evaluate\/store\.sqlite as run_/g)).toHaveLength(5)
    expect(stdout).toContain('\n odd values   6 rows ')
    expect(stdout).toContain('\n ../x   2 rows ')
    expect(stdout).toContain('1 × OUTPUT_NOT_DATA  outputs is a function, which cannot be kept')

    expect(readdirSync(p.folder).toSorted()).toEqual([
      '.vitest',
      'names',
      'node_modules',
      'odd.eval.ts',
      'out.jsonl',
      'package.json',
      'vitest.config.ts',
    ])
    expect(readdirSync(join(p.folder, 'names'))).toHaveLength(16)
    // The command line does not know under which Vitest a run was made.
    if (major === 4) return
    const listed = await p.cli('runs')
    expect([listed.code, listed.stdout.trimEnd().split('\n').length]).toEqual([0, 6])
    for (const which of ['odd values', '__proto__', '../x', 'two\nlines\u001b[31m', `l${'o'.repeat(10_000)}ng`]) {
      const shown = await p.cli('show', which)
      expect([shown.code, shown.stderr], which.slice(0, 20)).toEqual([0, ''])
      expect(shown.stdout).not.toContain('\u001b')
      for (const line of shown.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    }
  },
)
