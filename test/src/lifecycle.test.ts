import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test as plain } from 'vitest'
import { z } from 'zod'
import * as catalogue from '../../src/judges/catalogue.ts'
import {
  ConversationalGuidelines,
  customPromptJudge,
  fromAutoevals,
  Guidelines,
  makeJudge,
  pairwiseJudge,
  panel,
  Safety,
  ToolCallCorrectness,
} from '../../src/judges/index.ts'
import type { ModelFunction } from '../../src/model.ts'
import {
  deleteScorer,
  getScorer,
  listScorers,
  listScorerVersions,
  registerScorers,
  restoreScorer,
} from '../../src/monitoring.ts'
import { placeOf } from '../../src/registered.ts'
import { Scorer, type ScorerArgs, scorer } from '../../src/scorer.ts'
import * as ready from '../../src/scorers/catalogue.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { scorerVersion } from '../../src/version.ts'
import { evaluate } from '../../src/workspace.ts'

const test = plain.extend<{ store: Store }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the fixtures off the pattern
  store: async ({}, use) => use(memory()),
})
const experiment = 'support'
const full = { samplingConfig: { sampleRate: 1 } }
const yes: ModelFunction = () => JSON.stringify({ rationale: 'fine', value: 'yes' })

/** A project with modules, outside of this package. */
function project(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'lifecycle-'))
  const src = new URL('../../src/index.ts', import.meta.url).href
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), text.replaceAll("'vitest-evaluate'", `'${src}'`))
  }
  return root
}

const CONCISE = `import { scorer } from 'vitest-evaluate'
export const concise = scorer('concise', ({ outputs }) => outputs.length <= 5)
`

class Words extends Scorer.with(z.object({ least: z.number().default(2) })) {
  readonly name = 'words'
  score({ outputs }: ScorerArgs) {
    return [
      { name: 'words', value: outputs.split(' ').length >= this.least },
      { name: 'words/count', value: outputs.split(' ').length },
      { name: 'other', value: 1 },
    ]
  }
}

test('a scorer goes through its states, each in an instance of its own', async ({ store }) => {
  const defined = Safety()
  expect([defined.status, defined.sampleRate, defined.filterString]).toEqual(['UNREGISTERED', undefined, undefined])
  const registered = await defined.register({ name: 'safety_check', experiment, store })
  const started = await registered.start({ samplingConfig: { sampleRate: 0.3, filterString: "status = 'OK'" } })
  const updated = await started.update({ samplingConfig: { sampleRate: 0.8 } })
  const stopped = await updated.stop()
  const again = await stopped.start({ samplingConfig: { sampleRate: 0.5 } })
  const deleted = await again.delete()
  const ok = "status = 'OK'"
  expect(
    [registered, started, updated, stopped, again, deleted].map((one) => [
      one.status,
      one.sampleRate,
      one.filterString,
    ]),
  ).toEqual([
    ['REGISTERED', 0, undefined],
    ['ACTIVE', 0.3, ok],
    ['ACTIVE', 0.8, ok],
    ['STOPPED', 0, ok],
    ['ACTIVE', 0.5, ok],
    ['DELETED', 0, ok],
  ])
  expect(new Set([registered, started, updated, stopped, again, deleted]).size).toBe(6)
  expect(defined.status).toBe('UNREGISTERED')
  expect(() => Object.assign(updated, { sampleRate: 0.1 })).toThrow(TypeError)
  expect([updated.name, updated.experiment, updated.registeredVersion]).toEqual(['safety_check', experiment, 1])
  expect(await listScorers({ experiment, store })).toEqual([])
})

test('update() takes a rate, a filter, or none of a filter', async ({ store }) => {
  const started = await (await Safety().register({ experiment, store })).start(full)
  const filtered = await started.update({ samplingConfig: { filterString: "tag.env = 'prod'" } })
  expect([filtered.sampleRate, filtered.filterString]).toEqual([1, "tag.env = 'prod'"])
  const kept = await filtered.update({ samplingConfig: { sampleRate: 0.2, filterString: undefined } })
  expect([kept.sampleRate, kept.filterString]).toEqual([0.2, "tag.env = 'prod'"])
  const bare = await kept.update({ samplingConfig: { filterString: null } })
  expect([bare.sampleRate, bare.filterString]).toEqual([0.2, undefined])
  expect((await bare.update({ samplingConfig: { sampleRate: 0 } })).status).toBe('STOPPED')
})

test('start() takes all traces unless it is told a rate', async ({ store }) => {
  const registered = await Safety().register({ experiment, store })
  expect((await registered.start({ samplingConfig: {} })).sampleRate).toBe(1)
})

test('a registered scorer scores under its registered name, whatever it calls itself', async ({ store }) => {
  const own = scorer('own', ({ outputs }) => ({ name: 'own', value: outputs.length }))
  const module = pathToFileURL(join(project({ 'x.ts': 'export {}' }), 'x.ts')).href
  const made = await own.register({ name: 'prod_length', experiment, store, module, export: 'own' })
  expect(made({ outputs: 'abc' })).toEqual({ name: 'prod_length', value: 3 })
  expect(made.score({ outputs: 'abc' } as ScorerArgs)).toEqual({ name: 'prod_length', value: 3 })
  const words = await new Words({ least: 3 }).register({ name: 'w', experiment, store, module, export: 'words' })
  expect(words({ outputs: 'a b' })).toEqual([
    { name: 'w', value: false },
    { name: 'w/count', value: 2 },
    { name: 'other', value: 1 },
  ])
  const judge = await Safety({ model: 'openai:/gpt-4.1' })
    .with({ model: yes })
    .register({ name: 'ok', experiment, store, module, export: 'j' })
  expect(await judge({ outputs: 'hello' })).toMatchObject({ name: 'ok', value: 'yes' })
  const run = await evaluate([{ inputs: 1, outputs: 'abc' }], [made, words, judge], { store, experiment })
  expect(Object.keys(run.metrics).sort()).toEqual([
    'ok/mean',
    'other/mean',
    'prod_length/mean',
    'w/count/mean',
    'w/mean',
  ])
})

test('scorerVersion() is what it was without a life cycle, and the same of a registered scorer', async ({ store }) => {
  // Text that no compiler touches; the digests were taken before scorers had methods.
  const made =
    "return class Words extends Scorer { name = 'words'; least = 2; score({ outputs }) { return outputs.length > this.least } }"
  const Plain = new Function('Scorer', made)(Scorer)
  const model = 'openai:/gpt-4.1'
  const instructions = '{{ outputs }}?'
  const scorers: [Scorer, string][] = [
    [new Plain(), '56935183ebb71d9c'],
    [scorer('f', new Function('return ({ outputs }) => outputs.length')()), '3fca290fd81e9984'],
    [Safety({ model }), '4e0d1ec264461162'],
    [Guidelines({ model, guidelines: 'a' }), 'dc01299025f57123'],
    [makeJudge({ name: 'm', model, instructions, feedbackValueType: 'boolean' }), 'daab24992683e655'],
    [panel(Safety({ model }), { models: ['openai:/a', 'openai:/b'] }), '7d83ac2b0a2c21ff'],
    [ready.exactMatch(), '7762e1fba0063f62'],
    [ready.pii({ kinds: ['email'] }), '2d8b49952135930a'],
  ]
  for (const [one, version] of scorers) expect(scorerVersion(one), one.name).toBe(version)
  const words = new Words({ least: 3 })
  const digest = scorerVersion(words)
  expect(Object.keys(words)).toEqual(['least', 'name'])
  expect(Object.keys(scorer('y', () => 1))).toEqual(['name', 'score', 'version'])
  const module = pathToFileURL(join(project({ 'x.ts': 'export {}' }), 'x.ts')).href
  const registered = await words.register({ name: 'other', experiment, store, module, export: 'words' })
  expect([scorerVersion(registered), registered.version]).toEqual([digest, digest])
  const judge = Safety({ model: 'openai:/gpt-4.1' })
  expect(scorerVersion(await judge.register({ experiment, store }))).toBe(scorerVersion(judge))
})

test('register() numbers versions by what judges differently, and changes nothing for the same scorer', async ({
  store,
}) => {
  const at = { name: 's', experiment, store }
  const version = async (one: Scorer) => (await one.register(at)).registeredVersion
  expect(await version(Safety())).toBe(1)
  await (await getScorer(at)).start(full)
  expect(await version(Safety({ name: 'renamed', description: 'd', aggregations: ['max'], timeoutMs: 5 }))).toBe(1)
  expect(await version(Safety({ model: 'openai:/gpt-4.1' }))).toBe(2)
  expect(await version(Safety({ parameters: { temperature: 0 } }))).toBe(3)
  expect(await version(Guidelines({ guidelines: 'a' }))).toBe(4)
  expect(await version(Guidelines({ guidelines: ['b'] }))).toBe(5)
  expect(await version(panel(Safety({ model: 'openai:/a' }), { models: ['openai:/b', 'openai:/c'] }))).toBe(6)
  expect(await version(panel(Safety({ model: 'openai:/a' }), { models: ['openai:/b', 'openai:/d'] }))).toBe(7)
  expect(await version(Safety({ version: 'v1' }))).toBe(8)
  expect(await version(Safety({ version: 'v1', model: 'openai:/e' }))).toBe(8)
  const all = await listScorerVersions(at)
  expect(all.map((one) => [one.registeredVersion, one.status])).toEqual(all.map((_, i) => [i + 1, 'ACTIVE']))
  expect((await getScorer({ ...at, version: 2 })).registeredVersion).toBe(2)
})

test('register() takes one scorer under several names, and a registered one elsewhere', async ({ store }) => {
  const first = await Safety().register({ name: 'a', experiment, store })
  const second = await first.register({ name: 'b', experiment })
  await second.register({ experiment: 'other' })
  expect((await listScorers({ experiment, store })).map(({ name }) => name)).toEqual(['a', 'b'])
  expect((await listScorers({ experiment: 'other', store })).map(({ name }) => name)).toEqual(['b'])
})

test('a method that names another registration works on that one', async ({ store }) => {
  const a = await Safety().register({ name: 'a', experiment, store })
  await Guidelines({ guidelines: 'x' }).register({ name: 'b', experiment, store })
  const b = await a.start({ ...full, name: 'b' })
  expect([b.name, b.status]).toEqual(['b', 'ACTIVE'])
  expect((await getScorer({ name: 'a', experiment, store })).status).toBe('REGISTERED')
  await expect(a.stop({ name: 'c' })).rejects.toThrow('Scheduled scorer "c" not found in experiment "support"')
})

test('an instance whose name has a newer version starts that one', async ({ store }) => {
  const old = await Safety().register({ name: 's', experiment, store })
  await Guidelines({ guidelines: 'x' }).register({ name: 's', experiment, store })
  const started = await old.start(full)
  expect(started.registeredVersion).toBe(2)
  expect(placeOf(started)?.registration.recipe).toMatchObject({ factory: 'Guidelines' })
})

plain.each<[string, (one: Scorer) => Promise<unknown>, string]>([
  [
    'start() without sampling',
    (one) => one.start({} as never),
    '"samplingConfig" must be { sampleRate, filterString }, found undefined',
  ],
  [
    'start() at rate 0',
    (one) => one.start({ samplingConfig: { sampleRate: 0 } }),
    '"sampleRate" must be above 0, found 0',
  ],
  [
    'a rate above 1',
    (one) => one.start({ samplingConfig: { sampleRate: 1.01 } }),
    '"sampleRate" must be from 0 to 1, found 1.01',
  ],
  [
    'a rate below 0',
    (one) => one.update({ samplingConfig: { sampleRate: -1 } }),
    '"sampleRate" must be from 0 to 1, found -1',
  ],
  [
    'a rate that is no number',
    (one) => one.start({ samplingConfig: { sampleRate: NaN } }),
    '"sampleRate" must be from 0 to 1, found NaN',
  ],
  [
    'a rate in words',
    (one) => one.start({ samplingConfig: { sampleRate: '1' as never } }),
    '"sampleRate" must be a number from 0 to 1, found "1"',
  ],
  [
    'update() with nothing',
    (one) => one.update({ samplingConfig: {} }),
    'must have a "sampleRate" or a "filterString", found neither',
  ],
  ['an unknown setting', (one) => one.start({ samplingConfig: { rate: 1 } as never }), 'unknown option "rate"'],
  [
    'an unknown option',
    (one) => one.start({ ...full, experment: 'x' } as never),
    'unknown option "experment" (did you mean "experiment"?)',
  ],
  [
    'a filter that does not parse',
    (one) => one.start({ samplingConfig: { filterString: 'status =' } }),
    'Cannot read the filter at position 9',
  ],
])('the life cycle refuses %s before anything is written', async (_, act, message) => {
  const store = memory()
  const one = await Safety().register({ experiment, store })
  await expect(act(one)).rejects.toThrow(message)
  expect((await getScorer({ name: 'safety', experiment, store })).status).toBe('REGISTERED')
})

plain.each<[string, unknown]>([['TypeError for what is not registered', TypeError]])(
  'start() throws a %s',
  async (_, kind) => {
    const start = Safety().start(full)
    await expect(start).rejects.toThrow(kind as typeof TypeError)
    await expect(start).rejects.toThrow(
      'Cannot start scorer "safety": it is not registered\nHint: await safety.register()',
    )
  },
)

test('an instance whose registration is gone says so, also when the name is taken again', async ({ store }) => {
  const one = await Safety().register({ name: 's', experiment, store })
  await deleteScorer({ name: 's', experiment, store })
  const gone = 'version 1 in experiment "support" has been deleted'
  await expect(one.start(full)).rejects.toThrow(`Cannot start scorer "s": ${gone}`)
  await Safety().register({ name: 's', experiment, store })
  await expect(one.stop()).rejects.toThrow(`Cannot stop scorer "s": ${gone}`)
  await expect(one.delete()).rejects.toMatchObject({ code: 'SCORER_NOT_FOUND' })
})

test('unknown names are refused with those that there are', async ({ store }) => {
  const empty = { code: 'SCORER_NOT_FOUND', message: expect.stringContaining('none is registered there') }
  await expect(getScorer({ name: 'x', experiment, store })).rejects.toMatchObject(empty)
  for (const name of ['safety_check', 'tone']) await Safety().register({ name, experiment, store })
  const message = `Scheduled scorer "safety_chek" not found in experiment "support" (did you mean "safety_check"?)
Hint: registered are "safety_check", "tone"`
  for (const ask of [getScorer, deleteScorer, listScorerVersions]) {
    await expect(ask({ name: 'safety_chek', experiment, store })).rejects.toThrow(message)
  }
  await expect(getScorer({ name: 'tone', version: 2, experiment, store })).rejects.toThrow('has no version 2')
  await expect(getScorer({ name: 'tone', version: 0, experiment, store })).rejects.toThrow(RangeError)
  await expect(getScorer({ nam: 'tone' } as never)).rejects.toThrow('unknown option "nam" (did you mean "name"?)')
  await expect(deleteScorer({ name: 'tone', version: 2, experiment, store })).rejects.toThrow('has no version 2')
})

const JUDGES: Scorer[] = [
  Safety({ model: 'openai:/gpt-4.1', parameters: { temperature: 0 }, aggregations: ['min'], description: 'd' }),
  Guidelines({ guidelines: ['be kind', 'be brief'] }),
  ConversationalGuidelines({ guidelines: 'be kind' }),
  ToolCallCorrectness({ shouldExactMatch: true }),
  pairwiseJudge({ criteria: 'brevity', baseline: 'other' }),
  panel(Guidelines({ guidelines: 'x', model: 'openai:/a' }), { models: ['openai:/b', 'openai:/b'], tie: 'no' }),
  makeJudge({ name: 'm', instructions: 'Is {{ outputs }} good?', feedbackValueType: z.number().min(1).max(5) }),
  makeJudge({ name: 'm2', instructions: 'Is {{ conversation }} good?', feedbackValueType: z.enum(['good', 'bad']) }),
  makeJudge({
    name: 'm3',
    instructions: 'Is {{ outputs }} good?',
    feedbackValueType: 'boolean',
    answerFields: { value: 'v' },
  }),
  makeJudge({ name: 'm4', instructions: 'Is {{ outputs }} good?', feedbackValueType: { min: 1, integer: true } }),
  customPromptJudge({ name: 'c', promptTemplate: '{{ outputs }} [[a]]: x [[b]]: y', numericValues: { a: 1, b: 0 } }),
  ready.bleu(),
  ready.exactMatch(),
  ready.includes(),
  ready.jsonSchema({ type: 'object', required: ['a'] }, { name: 'shape' }),
  ready.jsonValid(),
  ready.latency(),
  ready.length({ max: 400 } as never),
  ready.numeric(),
  ready.pii({ kinds: ['email'] }),
  ready.rougeL(),
  ready.tokenF1(),
  ready.toolCalls(),
]

plain.each(JUDGES.map((one) => [one.name, one] as const))(
  '%s is made again from what was kept of it',
  async (name, one) => {
    const store = memory()
    const made = await one.register({ name: `prod_${name}`, experiment, store })
    const [kept] = await store.registrations()
    const { scorer: again, notice } = await restoreScorer(JSON.parse(JSON.stringify(kept)), { store })
    expect(notice).toBeUndefined()
    expect([again.name, again.level, scorerVersion(again)]).toEqual([`prod_${name}`, made.level, scorerVersion(made)])
    expect((await again.register({ experiment, store })).registeredVersion).toBe(1)
  },
)

plain('every ready judge that needs no settings is made again', async () => {
  const store = memory()
  const bare = Object.entries(catalogue).filter(([name]) => /^[A-Z]/.test(name) && !name.endsWith('Guidelines'))
  expect(bare.length).toBeGreaterThan(15)
  for (const [name, make] of bare) {
    const registered = await (make as () => Scorer)().register({ name, experiment, store })
    const again = await getScorer({ name, experiment, store })
    expect(scorerVersion(again), name).toBe(scorerVersion(registered))
  }
})

plain.each<[string, () => Scorer, string]>([
  [
    'a function for a model',
    () => Safety({ model: yes }),
    '"model" must be an address such as "openai:/gpt-4.1-mini" for other processes to make it, found function yes',
  ],
  ['a client for a model', () => Safety({ model: { model: 'm', client: {} } as never }), '"model" must be an address'],
  ['a function on a panel', () => panel(Safety(), { models: ['openai:/a', yes] }), '"models[1]" must be an address'],
  [
    'a judge with one on a panel',
    () => panel(Safety({ model: yes }), { models: ['openai:/a', 'openai:/b'] }),
    '"judge',
  ],
  [
    'an aggregation that is code',
    () =>
      Safety({
        aggregations: [
          function top() {
            return 1
          },
        ],
      }),
    '"aggregations[0]" must be plain data',
  ],
  [
    'a ready scorer with a function',
    () => ready.exactMatch({ output: (all: any) => all.text } as never),
    'must be plain data',
  ],
  ['a pattern', () => ready.matches(/x/), '"pattern" must be plain data'],
  [
    'a function scorer',
    () => scorer('concise', () => 1),
    "it is made of code, which is never stored\nHint: export it from a module, and add { module: import.meta.url, export: 'concise' }",
  ],
  ['an instance of a class', () => new Words(), 'it is made of code'],
  [
    'what is wrapped',
    () => fromAutoevals(async () => ({ name: 'x', score: 1 }), { name: 'wrapped' }),
    'it is made of code',
  ],
])('register() refuses %s without a module', async (_, make, message) => {
  const store = memory()
  const registering = make().register({ experiment, store })
  await expect(registering).rejects.toThrow(TypeError)
  await expect(registering).rejects.toThrow(message)
  expect(await store.registrations()).toEqual([])
})

plain.each<[string, object, string]>([
  ['an export without a module', { export: 'x' }, '"export" needs a "module"'],
  ['a module without an export', { module: import.meta.url }, '"export" must be the name'],
  [
    'a module that is no address',
    { module: 'data:text/javascript,', export: 'x' },
    '"module" must be import.meta.url or the path of a file',
  ],
  ['a module that is not there', { module: './nowhere.ts', export: 'x' }, 'there is no module'],
  ['an empty name', { name: ' ' }, '"name" must be a string that is not empty'],
  ['an unknown option', { experimnt: 'x' }, 'unknown option "experimnt" (did you mean "experiment"?)'],
])('register() refuses %s', async (_, options, message) => {
  await expect(scorer('x', () => 1).register({ store: memory(), ...options })).rejects.toThrow(message)
})

test('a module that starts its own scorers is refused when it is loaded for them, and can still be managed', async ({
  store,
}) => {
  const root = project({
    'scorers.ts': `${CONCISE}await concise.register({ module: import.meta.url, export: 'concise', experiment: '${experiment}' })\n`,
  })
  const module = join(root, 'scorers.ts')
  await expect(registerScorers(module, { experiment, store })).rejects.toMatchObject({
    code: 'MODULE_INVALID',
    message: expect.stringContaining('its module is being loaded for its scorers just now'),
  })
  const recipe = { kind: 'module', module, export: 'concise', digest: 'x' } as const
  await store.registerScorer({ experiment, name: 'concise', recipe, digest: 'x', level: 'trace', registeredAt: 1 })
  const found = await getScorer({ name: 'concise', experiment, store })
  await expect(found({ outputs: 'x' })).rejects.toMatchObject({ code: 'MODULE_INVALID' })
  expect((await found.start({ samplingConfig: { sampleRate: 0.1 } })).sampleRate).toBe(0.1)
  expect((await listScorers({ experiment, store })).map(({ sampleRate }) => sampleRate)).toEqual([0.1])
})

test('registerScorers() registers what a module exports, each under its name, by its first export', async ({
  store,
}) => {
  const root = project({
    'scorers.ts': `${CONCISE}import { Scorer } from 'vitest-evaluate'
export class Odd extends Scorer { readonly name = 'odd'; score() { return 1 } }
export const odd = new Odd()
export { concise as again }
export const list = [concise]
export const limit: number = 5
`,
  })
  const module = join(root, 'scorers.ts')
  const registered = await registerScorers(module, { experiment, store })
  expect(registered.map(({ name, status }) => [name, status])).toEqual([
    ['concise', 'REGISTERED'],
    ['odd', 'REGISTERED'],
  ])
  const { recipe } = (await store.registrations({ name: 'odd' }))[0] as never
  expect(recipe).toEqual({ kind: 'module', module, export: 'odd', digest: expect.stringMatching(/^[0-9a-f]{16}$/) })
  expect(await (await getScorer({ name: 'concise', experiment, store }))({ outputs: 'short' })).toBe(true)
  expect((await registerScorers(module, { experiment, store })).map((one) => one.registeredVersion)).toEqual([1, 1])
})

test('registerScorers() refuses a module without scorers, and two of one name', async ({ store }) => {
  const root = project({
    'none.ts': 'export const limit = 5',
    'two.ts': `${CONCISE}export const other = scorer('concise', () => 1)`,
  })
  const none = registerScorers(join(root, 'none.ts'), { experiment, store })
  await expect(none).rejects.toMatchObject({
    code: 'EXPORT_NOT_FOUND',
    message: expect.stringContaining('it exports no scorer'),
  })
  const two = registerScorers(join(root, 'two.ts'), { experiment, store })
  await expect(two).rejects.toThrow('"concise" and "other" are both called "concise"')
  expect(await store.registrations()).toEqual([])
})

test('a module that has changed is said, not refused; registered again, it is a new version', async ({ store }) => {
  const root = project({ 'scorers.ts': CONCISE })
  const module = join(root, 'scorers.ts')
  await registerScorers(module, { experiment, store })
  const [before] = await store.registrations()
  expect(await restoreScorer(before as never, { store, root })).not.toHaveProperty('notice')
  writeFileSync(
    module,
    CONCISE.replace("'vitest-evaluate'", `'${new URL('../../src/index.ts', import.meta.url).href}'`).replace('5', '2'),
  )
  const { scorer: now, notice } = await restoreScorer(before as never, { store, root })
  expect(notice).toBe(
    `Scorer "concise": module ${JSON.stringify(module)} has changed since it was registered; register it again to make that a version of its own`,
  )
  expect(now({ outputs: 'abc' })).toBe(false)
  expect((await registerScorers(module, { experiment, store }))[0]?.registeredVersion).toBe(2)
  const [after] = await store.registrations()
  expect(await restoreScorer(after as never, { store, root })).not.toHaveProperty('notice')
})

test('paths of modules start at the root, so that a store can be read on another machine', async ({ store }) => {
  const [here, there] = [project({ 'lib/scorers.ts': CONCISE }), project({ 'lib/scorers.ts': CONCISE })]
  await registerScorers(join(here, 'lib/scorers.ts'), { experiment, store })
  const [kept] = await store.registrations()
  const moved = { ...kept, recipe: { ...kept?.recipe, module: 'lib/scorers.ts' } } as never
  expect((await restoreScorer(moved, { store, root: there })).scorer({ outputs: 'abc' })).toBe(true)
})

plain.each<[string, Record<string, string>, string, object]>([
  ['is gone', {}, 'concise', { code: 'MODULE_NOT_FOUND', message: expect.stringContaining('there is no module') }],
  [
    'has lost its export',
    { 'scorers.ts': CONCISE.replace('const concise', 'const concize') },
    'concise',
    {
      code: 'EXPORT_NOT_FOUND',
      message:
        'Cannot make scorer "prod" again: module "scorers.ts" has no export "concise" (did you mean "concize"?)\nHint: scorers that it exports: concize',
    },
  ],
  [
    'exports something else',
    { 'scorers.ts': 'export const concise = 5' },
    'concise',
    {
      code: 'EXPORT_NOT_FOUND',
      message: expect.stringContaining('exports 5 as "concise", which is no scorer\nHint: it exports no scorers'),
    },
  ],
  [
    'throws',
    { 'scorers.ts': 'throw new Error("boom")' },
    'concise',
    { code: 'MODULE_INVALID', message: expect.stringMatching(/^Cannot load ".*scorers.ts": boom$/) },
  ],
  [
    'scores sessions by now',
    { 'scorers.ts': CONCISE.replace("'concise',", "{ name: 'concise', level: 'session' },") },
    'concise',
    { code: 'SCORER_INVALID', message: expect.stringContaining('it scored traces, and scores sessions now') },
  ],
])(
  'a scorer whose module %s is listed all the same, and says so when it is to score',
  async (_, files, exported, fault) => {
    const store = memory()
    const recipe = { kind: 'module', module: 'scorers.ts', export: exported, digest: 'x' } as const
    const write = { experiment, name: 'prod', recipe, digest: 'x', level: 'trace', registeredAt: 1 } as const
    const registration = await store.registerScorer(write)
    const root = project(files)
    await expect(restoreScorer(registration, { store, root })).rejects.toMatchObject(fault)
    const [listed] = await listScorers({ experiment, store })
    expect([listed?.name, listed?.status]).toEqual(['prod', 'REGISTERED'])
    await expect(listed?.({ outputs: 'x' })).rejects.toThrow('there is no module')
    expect((await listed?.start(full))?.status).toBe('ACTIVE')
    await listed?.delete()
    expect(await store.registrations()).toEqual([])
  },
)

test('a judge that this package does not have is refused, whatever a store says', async ({ store }) => {
  const write = { experiment, name: 'x', digest: 'x', level: 'trace', registeredAt: 1 } as const
  for (const [factory, message] of [
    ['Safty', 'there is no judge "Safty" (did you mean "Safety"?)'],
    ['constructor', 'there is no judge "constructor"'],
    ['Guidelines', '"guidelines" must be text or a list of texts'],
  ] as const) {
    const registration = await store.registerScorer({ ...write, recipe: { kind: 'judge', factory, options: {} } })
    await expect(restoreScorer(registration, { store })).rejects.toMatchObject({
      code: 'SCORER_INVALID',
      message: expect.stringContaining(message),
    })
  }
})

test('a judge that asks otherwise by now is said', async ({ store }) => {
  await Safety().register({ experiment, store })
  const [kept] = await store.registrations()
  const { notice } = await restoreScorer({ ...kept, digest: 'of before' } as never, { store })
  expect(notice).toContain('Safety() judges otherwise than when it was registered')
})
