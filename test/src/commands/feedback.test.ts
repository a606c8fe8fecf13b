import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { evaluate, feedback, openRun, type Run, scorer } from '../../../src/index.ts'
import { openStore } from '../../../src/place.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

interface Judged {
  readonly path: string
  readonly run: Run
  /** Trace ids in the order of the rows. */
  readonly ids: readonly string[]
  /** Runs `feedback …` as ann on this store. */
  readonly say: (...args: string[]) => ReturnType<typeof cli>
}

/** Four rows, of which a judge fails the odd ones; another scorer is silent about the last. */
async function judged(): Promise<Judged> {
  const path = join(folder(), 'store.sqlite')
  const before = process.env.VITEST_EVALUATE_USER
  process.env.VITEST_EVALUATE_USER = 'ann'
  onTestFinished(async () => {
    if (before === undefined) delete process.env.VITEST_EVALUATE_USER
    else process.env.VITEST_EVALUATE_USER = before
    await openStore(path, undefined).close()
  })
  const safe = scorer('safe', ({ inputs }) =>
    feedback({ value: inputs % 2 ? 'no' : 'yes', rationale: 'looked', source: { type: 'LLM_JUDGE', id: 'small' } }),
  )
  const length = scorer('length', ({ inputs }) => (inputs === 3 ? null : inputs))
  const rows = Array.from({ length: 4 }, (_, inputs) => ({ inputs, expectations: { answer: inputs } }))
  const run = await evaluate(rows, (n: number) => `answer ${n}`, [safe, length], {
    store: path,
    name: 'bot',
    minScored: 0,
  })
  const ids = (await run.search().toArray()).map(({ id }) => id)
  return { path, run, ids, say: (...args) => cli(['feedback', ...args, '--store', path]) }
}

test('feedback corrects a judge by the name of its Feedback, and says what became of the run', async () => {
  const { path, run, ids, say } = await judged()
  const id = ids[1] as string
  const { code, out, err } = await say(id, '--name', 'safe', '--value', 'yes', '--rationale', 'it is a quotation')
  expect([code, err]).toEqual([0, ''])
  expect(out).toBe(
    `safe: no → yes\nHUMAN ann, ${id}.3 in place of ${id}.1\nbot ${run.id}: safe 2/4 passed → 3/4 passed, 1 corrected\n`,
  )
  const shown = (await cli(['show', 'bot', '--store', path])).out
  expect(shown).toMatch(/safe +0\.750 .*\n +1 corrected by people\n/)
  const row = (await cli(['show', 'bot', '2', '--store', path])).out
  const at = (text: string): number => row.indexOf(text)
  expect(row).toContain('safe  yes\n')
  expect(row).toContain('safe  no  replaced by HUMAN ann\n')
  expect(at('it is a quotation')).toBeGreaterThan(at('safe  yes'))
  expect(at('safe  no')).toBeGreaterThan(at('HUMAN ann'))
  expect(at('LLM_JUDGE small')).toBeGreaterThan(at('looked'))
  expect((await cli(['show', `${id}`, '--store', path])).out).toBe(row)
  expect((await cli(['search', "feedback.safe = 'no'", '--run', 'bot', '--store', path])).out).toContain('1 trace\n')
})

test('feedback --delete takes a correction back, by id and by name', async () => {
  const { run, ids, say } = await judged()
  const id = ids[1] as string
  await say(id, '--name', 'safe', '--value', 'yes')
  const { code, out } = await say(id, '--name', 'safe', '--delete')
  expect(code).toBe(0)
  expect(out).toBe(
    `Deleted safe: yes, HUMAN ann, ${id}.3\nno, LLM_JUDGE small, ${id}.1 is valid again\nbot ${run.id}: safe 3/4 passed → 2/4 passed\n`,
  )
  expect((await openRun(run.id, { store: run.store })).record).toEqual(run.record)
  await say(`${id}.1`, '--value', 'true', '--as', 'bob')
  const json = JSON.parse((await say(`${id}.3`, '--delete', '--json')).out)
  expect(json).toMatchObject({ deleted: true, assessment: { source: { id: 'bob' }, value: true }, run: { id: run.id } })
  const gone = await say(`${id}.3`, '--delete')
  expect([gone.code, gone.out]).toEqual([1, ''])
  expect(gone.err).toContain(`vitest-evaluate feedback ${id} lists what has been said of that trace`)
})

test('feedback lists everything that was ever said of a trace', async () => {
  const { ids, say } = await judged()
  const id = ids[1] as string
  await say(id, '--name', 'safe', '--value', 'maybe', '--rationale', '\u001b[31mred')
  const { code, out } = await say(id)
  expect(code).toBe(0)
  const lines = out.trimEnd().split('\n')
  expect(lines[0]).toBe(id)
  expect(lines.slice(2).map((line) => line.trim().split(/ {2,}/).slice(0, 4))).toEqual([
    ['.0', 'answer (expected)', '1', 'HUMAN row'],
    ['.1', 'safe', 'no, replaced by .3', 'LLM_JUDGE small'],
    ['.2', 'length', '1', 'CODE length'],
    ['.3', 'safe', 'maybe', 'HUMAN ann'],
  ])
  expect(out).not.toContain('\u001b')
  expect((await say(id, '--list')).out).toBe(out)
  expect((await say(id, '--list', '--name', 'safe')).out.trimEnd().split('\n')).toHaveLength(4)
  expect(JSON.parse((await say(`${id}.3`, '--json')).out).map(({ valid }: { valid: boolean }) => valid)).toEqual([
    false,
    true,
  ])
  expect((await say(id, '--name', 'saf')).out).toBe(`Nothing has been said of ${id} as "saf" (did you mean "safe"?)\n`)
})

test('feedback reads values as they are typed', async () => {
  const { ids, say } = await judged()
  const given = async (value: string) =>
    JSON.parse((await say(ids[0] as string, '--name', 'mine', '--value', value, '--json')).out).assessment.value
  const cases: [text: string, value: unknown][] = [
    ['true', true],
    ['-0.5', -0.5],
    ['yes', 'yes'],
    ['"3"', '3'],
    ['["a",1]', ['a', 1]],
    ['{"a":1}', { a: 1 }],
    ['null', 'null'],
    ['{a', '{a'],
    ['007', '007'],
    ['NaN', 'NaN'],
  ]
  for (const [text, value] of cases) expect(await given(text), text).toEqual(value)
})

test('feedback leaves alone what other people say by themselves, and replaces what corrects a judge', async () => {
  const { ids, say } = await judged()
  const id = ids[0] as string
  const replaced = async (...args: string[]) => JSON.parse((await say(id, ...args, '--json')).out).assessment.overrides
  expect(await replaced('--name', 'mine', '--value', '1')).toBeUndefined()
  expect(await replaced('--name', 'mine', '--value', '2', '--as', 'bob')).toBeUndefined()
  expect(await replaced('--name', 'mine', '--value', '3')).toBe(`${id}.3`)
  expect(await replaced('--name', 'safe', '--value', 'no')).toBe(`${id}.1`)
  expect(await replaced('--name', 'safe', '--value', 'yes', '--as', 'bob')).toBe(`${id}.6`)
})

test('feedback of a column whose scorer was silent counts in the run', async () => {
  const { run, ids, say } = await judged()
  const { out } = await say(ids[3] as string, '--name', 'length', '--value', '5')
  expect(out).toContain(`bot ${run.id}: length mean 1 → mean 2, 1 corrected\n`)
  const tone = await say(ids[3] as string, '--name', 'tone', '--value', 'warm', '--run', 'latest')
  expect(tone.out).toContain(`bot ${run.id}: tone none → {warm 1}\n`)
})

test('feedback asks which is meant where several runs have judged a trace', async () => {
  const { path, run, ids, say } = await judged()
  const id = ids[1] as string
  const again = await evaluate(run.search(), [scorer('safe', () => 'maybe')], { store: path, name: 'again' })
  const { code, err } = await say(id, '--name', 'safe', '--value', 'yes')
  expect(code).toBe(1)
  expect(err).toBe(
    `Cannot give feedback: 2 verdicts on "safe" could be meant: ${id}.1 (${run.id}, no), ${id}.3 (${again.id}, maybe)\nHint: say which by its id, or by its --run\n`,
  )
  expect((await say(id, '--name', 'safe', '--value', 'yes', '--run', 'again')).out).toContain('safe: maybe → yes')
  expect((await say(id, '--name', 'safe', '--delete')).err).toContain('2 assessments called "safe" could be meant')
  expect((await say(`${id}.1`, '--value', 'yes')).out).toContain('safe: no → yes')
})

test.for([
  [['--value', 'yes'], /give the --name of the Feedback on "tr-/],
  [['--name', 'saef', '--value', 'yes'], /there is no "saef" \(did you mean "safe"\?\)\nHint: --new logs it/],
  [['--name', 'lenght', '--value', '1', '--run', 'bot'], /did you mean "length"/],
  [['--name', 'safe', '--value', ''], /--value takes a verdict, found ""/],
  [['--name', 'safe', '--value', 'x', '--as', ' '], /--as takes the name of a person/],
  [['--name', 'safe', '--value', '{"a":{}}'], /must be a boolean, a finite number, a string, or a list or record/],
  [['--name', 'safe', '--value', '1e999'], /found Infinity/],
  [['--rationale', 'x'], /give the --value too/],
  [['--delete', '--value', 'x'], /they do not go together/],
  [['--delete'], /say what to delete/],
  [['--delete', '--name', 'sefe'], /there is no valid "sefe" on "tr-.*" \(did you mean "safe"\?\)/],
  [['--name', 'safe', '--value', 'x', '--run', 'bott'], /Cannot open run "bott".*did you mean "bot"/],
  [['--nmae', 'x'], /unknown option '--nmae'/],
] as const)('feedback refuses %j, and changes nothing', async ([args, message]) => {
  const { run, ids, say } = await judged()
  const { code, out, err } = await say(ids[0] as string, ...args)
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(message)
  expect((await openRun(run.id, { store: run.store })).record).toEqual(run.record)
})

test('feedback --new logs a name that looks mistyped', async () => {
  const { ids, say } = await judged()
  expect((await say(ids[0] as string, '--name', 'saef', '--value', 'yes', '--new')).out).toContain('saef: yes\n')
})

test('feedback refuses what is not there, and what does not fit together', async () => {
  const { path, run, ids, say } = await judged()
  const [id = ''] = ids
  expect((await say('tr-none', '--name', 'x', '--value', '1')).err).toBe(
    `Cannot give feedback: ${path} has no trace or assessment "tr-none"\nHint: show a row, or search, for the id of its trace\n`,
  )
  expect((await say(`${id}.1`, '--name', 'length', '--value', '1')).err).toContain(`"${id}.1" is "safe", not "length"`)
  await evaluate([{ inputs: 1 }], (n: number) => n, [scorer('s', () => 1)], { store: path, name: 'other' })
  expect((await say(`${id}.1`, '--run', 'other', '--value', '1')).err).toContain(`belongs to ${run.id}, not to run_`)
  expect((await say(id, '--run', 'other', '--name', 'x', '--value', '1')).err).toContain('did not evaluate trace')
  expect((await say(`${id}.0`, '--value', '1')).err).toContain('it is the expectation "answer"')
})

test('feedback on a run of very many rows leaves the counting to whoever opens it next', async () => {
  const { run, ids, say } = await judged()
  const totals = { ...run.totals, rows: 20_000 }
  await run.store.updateRun({ ...run.record, totals })
  const { out } = await say(ids[1] as string, '--name', 'safe', '--value', 'yes')
  expect(out).toContain(`bot ${run.id}: its columns are counted again when it is opened next\n`)
  const json = JSON.parse((await say(ids[1] as string, '--name', 'safe', '--delete', '--json')).out)
  expect(json.run).toMatchObject({ id: run.id, uncounted: 2, column: { name: 'safe', passed: 2 } })
  expect((await run.store.getRun(run.id))?.uncounted).toBe(2)
  await run.store.updateRun(run.record)
  expect((await openRun(run.id, { store: run.store })).record).toEqual(run.record)
})
