import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { customPromptJudge, makeJudge, pairwiseJudge, panel, Safety } from '../../../src/judges/index.ts'
import { ModelError } from '../../../src/model.ts'
import { scorer } from '../../../src/scorer.ts'
import { type Span, Trace } from '../../../src/trace.ts'
import { asking, type Said, scripted, verdict } from '../../data/judging.ts'

const span = (id: string, more: Partial<Span> = {}): Span => ({
  id,
  name: id,
  type: 'CHAIN',
  startTimeNs: 0n,
  endTimeNs: 5_000_000n,
  status: 'OK',
  attributes: {},
  events: [],
  ...more,
})
const trace = (spans: readonly Span[]): Trace =>
  new Trace({
    id: 'tr-1',
    experiment: 'e',
    status: 'OK',
    requestTimeMs: 1,
    durationMs: 5,
    tags: {},
    metadata: {},
    spans,
    assessments: [],
  })

test('makeJudge() shows what its instructions name, and takes the names into its sentences', async () => {
  const judge = makeJudge({
    name: 'polite',
    instructions: 'How polite is {{outputs}} as an answer to {{ inputs }}? It should be: {{ expectations }}',
    feedbackValueType: { min: 1, max: 5, integer: true },
  })
  const model = scripted(verdict(4))
  const given = await asking(model, () => judge({ inputs: 'hi', outputs: 'hello', expectations: { tone: 'warm' } }))
  expect(given).toMatchObject({ name: 'polite', value: 4, rationale: 'because' })
  const [system, user] = model.requests[0]?.messages ?? []
  expect(system?.content).toContain('How polite is the material "outputs" as an answer to the material "inputs"?')
  expect(user?.content).toMatch(
    /name="outputs">\nhello\n.*name="inputs">\nhi\n.*name="expectations">\n{\n {2}"tone": "warm"\n}\n/s,
  )
  expect(model.requests[0]?.schema?.schema).toMatchObject({
    properties: { value: { type: 'integer', minimum: 1, maximum: 5 } },
  })
})

test('makeJudge() does not show a judge what people said under its name', async () => {
  const judge = makeJudge({
    name: 'polite',
    instructions: '{{ outputs }} by {{ expectations }}',
    feedbackValueType: 'boolean',
  })
  const model = scripted(verdict(true))
  await asking(model, () => judge({ outputs: 'x', expectations: { tone: 'warm', polite: 'label' } }))
  expect(model.requests[0]?.messages[1]?.content).toContain('"tone": "warm"')
  expect(JSON.stringify(model.requests)).not.toContain('"label"')
  expect(model.requests[0]?.messages[1]?.content).not.toContain('polite')
  const labelled = await asking(model, () => judge({ outputs: 'x', expectations: { polite: true } }))
  expect(labelled.error?.code).toBe('EXPECTATION_MISSING')
})

test.each([
  ["'boolean'", 'boolean', { type: 'boolean' }, true],
  ["'number'", 'number', { type: 'number' }, 2.5],
  ['a range', { min: 0, max: 1 }, { type: 'number', minimum: 0, maximum: 1 }, 0.5],
  ['categories', ['good', 'poor'], { type: 'string', enum: ['good', 'poor'] }, 'poor'],
  ['z.boolean()', z.boolean(), { type: 'boolean' }, false],
  ['z.number()', z.number().min(1).max(5), { type: 'number', minimum: 1, maximum: 5 }, 5],
  ['z.int()', z.int().min(0), { type: 'integer', minimum: 0 }, 0],
  ['z.enum()', z.enum(['good', 'poor']), { type: 'string', enum: ['good', 'poor'] }, 'good'],
  ['z.literal()', z.literal(['x', 'y']), { type: 'string', enum: ['x', 'y'] }, 'x'],
] as const)('makeJudge() takes %s as value type', async (_, feedbackValueType, schema, value) => {
  const judge = makeJudge({ name: 'j', instructions: '{{ outputs }}', feedbackValueType })
  const model = scripted(verdict(value))
  expect((await asking(model, () => judge({ outputs: 'x' }))).value).toBe(value)
  expect(model.requests[0]?.schema?.schema).toMatchObject({ properties: { value: schema } })
})

const made = { name: 'j', instructions: '{{ outputs }}', feedbackValueType: 'boolean' } as const

test.each<[string, object, string]>([
  ['no name', { name: undefined }, '"name" must be a string that is not empty, found undefined'],
  ['no instructions', { instructions: '' }, '"instructions" must be text that is not empty, found ""'],
  [
    'instructions that name nothing',
    { instructions: 'Is it good?' },
    '"instructions" names nothing to judge: it needs one of {{ inputs }}, {{ outputs }}, {{ expectations }}, {{ conversation }}, {{ trace }}',
  ],
  [
    'an unknown variable',
    { instructions: '{{ output }}' },
    '"instructions" has an unknown variable "output" (did you mean "outputs"?); there are {{ inputs }}',
  ],
  [
    'conversation beside others',
    { instructions: '{{ conversation }} {{ inputs }}' },
    '{{ conversation }} does not go with {{ inputs }}',
  ],
  [
    'no value type',
    { feedbackValueType: undefined },
    `"feedbackValueType" must be 'boolean', 'number', { min, max, integer }, a list of strings or a schema, found undefined`,
  ],
  ['a value type that is none', { feedbackValueType: 'string' }, 'found "string"'],
  ['an unknown field of a range', { feedbackValueType: { from: 1 } }, 'found an object with from'],
  ['an empty range', { feedbackValueType: { min: 5, max: 1 } }, '"min" must be less than "max", found 5 and 1'],
  ['one category', { feedbackValueType: ['yes'] }, 'must have two categories at least, found 1'],
  ['a category twice', { feedbackValueType: ['yes', 'yes'] }, 'has a category twice'],
  [
    'a category that is no text',
    { feedbackValueType: ['yes', 1] },
    'must be a list of strings that are not empty, found 1',
  ],
  [
    'a schema of something else',
    { feedbackValueType: z.object({}) },
    'must be a schema of a boolean, a number or an enum of strings',
  ],
  [
    'a number schema that says more',
    { feedbackValueType: z.number().multipleOf(2) },
    'a number may have a minimum and a maximum, nothing more',
  ],
  ['an unknown option', { instruction: 'x' }, 'unknown option "instruction"'],
  [
    'answer fields that are none',
    { answerFields: { rationale: 'why' } },
    `"answerFields" must be { value: 'name', rationale: ['name', …] }`,
  ],
  ['answer fields of one name', { answerFields: { value: 'rationale' } }, '"answerFields" has one name twice'],
])('makeJudge() refuses %s at once', (_, wrong, message) => {
  expect(() => makeJudge({ ...made, ...wrong } as never)).toThrow(`Cannot make makeJudge(): `)
  expect(() => makeJudge({ ...made, ...wrong } as never)).toThrow(message)
})

test('makeJudge() with {{ conversation }} judges sessions', async () => {
  const judge = makeJudge({ ...made, instructions: 'Is {{ conversation }} as {{ expectations }} say?' })
  expect(judge.level).toBe('session')
  const model = scripted(verdict(true))
  const session = [trace([span('root', { inputs: 'hi', outputs: 'hello' })])]
  expect(await asking(model, () => judge({ session, expectations: { tone: 'warm' } }))).toMatchObject({ value: true })
  expect(model.requests[0]?.messages[1]?.content).toContain('Turn 1\nuser:\n  hi\nassistant:\n  hello')
  expect((await asking(model, () => judge({}))).error?.code).toBe('SESSION_MISSING')
})

const walked = trace([
  span('root', { inputs: 'q', outputs: 'a' }),
  span('child', { parentId: 'root', type: 'TOOL', outputs: `${'x'.repeat(9_000)} Needle </data-1> end` }),
])
const walker = makeJudge({ ...made, name: 'walker', instructions: 'Does {{ trace }} hold a needle?' })
const call = (name: string, args: object | string = {}) => ({
  id: `call-${name}`,
  name,
  arguments: typeof args === 'string' ? args : JSON.stringify(args),
})

test('a judge of {{ trace }} walks the trace with read-only tools, then answers', async () => {
  const model = scripted(
    { toolCalls: [call('get_trace'), call('list_spans'), call('get_root_span')] },
    { toolCalls: [call('search_trace', { text: 'NEEDLE' })] },
    { toolCalls: [call('get_span', { span_id: 'child' })] },
    { toolCalls: [call('get_span', { span_id: 'child', offset: 8_000 })] },
    verdict(true, 'it is in child'),
  )
  const given = await asking(model, () => walker({ trace: walked }))
  expect(given).toMatchObject({ value: true, rationale: 'it is in child', metadata: { looks: 6 } })
  const last = model.requests.at(-1)?.messages ?? []
  const answers = last.filter(({ role }) => role === 'tool')
  expect(answers.map(({ toolCallId }) => toolCallId)).toEqual(
    ['get_trace', 'list_spans', 'get_root_span', 'search_trace', 'get_span', 'get_span'].map((name) => `call-${name}`),
  )
  const tag = /<(data-[0-9a-f]{24}) /.exec(last[0]?.content ?? '')?.[1]
  for (const { content } of answers)
    expect(content).toMatch(new RegExp(`^<${tag} name="tool \\w+">\\n[^]+\\n</${tag}>$`))
  expect(answers[1]?.content).toContain('"id": "child"')
  expect(answers[3]?.content).toContain('Needle ‹/data-1> end')
  expect(answers[4]?.content).toMatch(/\(characters 0 to 8000 of \d+; go on with offset 8000\)/)
  expect(answers[5]?.content).toContain('Needle')
  expect(model.requests[0]?.tools?.map(({ name }) => name)).toEqual([
    'get_trace',
    'get_root_span',
    'list_spans',
    'get_span',
    'search_trace',
  ])
})

test('a walk goes on after a call that cannot be made', async () => {
  const model = scripted(
    {
      toolCalls: [
        call('delete_span'),
        call('get_span', 'no json'),
        call('get_span', { span_id: 'x' }),
        call('search_trace'),
        call('get_trace', 'null'),
      ],
    },
    verdict(false),
  )
  expect((await asking(model, () => walker({ trace: walked }))).value).toBe(false)
  const texts = model.requests[1]?.messages
    .filter(({ role }) => role === 'tool')
    .map(({ content }) => content.split('\n')[1])
  expect(texts).toMatchObject([
    'There is no tool "delete_span"; there are get_trace, get_root_span, list_spans, get_span, search_trace.',
    expect.stringMatching(/^That call cannot be made: .*JSON/),
    'There is no span "x"; list_spans names all.',
    'Say which text to look for.',
    '{',
  ])
})

test('a walk that never ends is an error, and so is one that ends in nonsense', async () => {
  const endless = scripted({ toolCalls: [call('get_trace')] })
  expect((await asking(endless, () => walker({ trace: walked }))).error?.code).toBe('TURNS_EXCEEDED')
  expect(endless.requests).toHaveLength(30)
  const nonsense = scripted({ toolCalls: [call('get_trace')] }, 'well')
  expect((await asking(nonsense, () => walker({ trace: walked }))).error?.code).toBe('NOT_JSON')
  expect(nonsense.requests).toHaveLength(3)
  const cut = scripted({ text: verdict(true), finishReason: 'length' })
  expect((await asking(cut, () => walker({ trace: walked }))).error?.code).toBe('TRUNCATED')
  const noTool = scripted({ text: '', finishReason: 'tool_calls', toolCalls: [] })
  expect((await asking(noTool, () => walker({ trace: walked }))).error?.code).toBe('UNFINISHED')
  expect((await asking(cut, () => walker({}))).error?.code).toBe('TRACE_MISSING')
})

const formality = {
  name: 'formality',
  promptTemplate:
    'Rate it.\n<request>{{request}}</request>\n<response>{{ response }}</response>\n[[formal]]: very\n[[semi formal]]: a bit\n[[not-formal]]: not',
}

test('customPromptJudge() fills its template with blocks, and gives the category', async () => {
  const judge = customPromptJudge(formality)
  const model = scripted(verdict('semi formal'))
  expect(await asking(model, () => judge({ request: { a: 1 }, response: 'yo' }))).toMatchObject({
    name: 'formality',
    value: 'semi formal',
  })
  const user = model.requests[0]?.messages[1]?.content ?? ''
  expect(user).toMatch(
    /^Rate it\.\n<request><data-\w+ name="request">\n{\n {2}"a": 1\n}\n<\/data-\w+><\/request>\n<response><data-\w+ name="response">\nyo\n/,
  )
  expect(model.requests[0]?.schema?.schema).toMatchObject({
    properties: { value: { enum: ['formal', 'semi formal', 'not-formal'] } },
  })
})

test('customPromptJudge() does not read what people said in its place', async () => {
  const judge = customPromptJudge({ name: 'tone', promptTemplate: '{{ expectations }} [[warm]] [[cold]]' })
  const model = scripted(verdict('warm'))
  await asking(model, () => judge({ expectations: { tone: 'label', style: 'letter' } }))
  expect(JSON.stringify(model.requests)).toContain('letter')
  expect(JSON.stringify(model.requests)).not.toContain('label')
})

test('customPromptJudge() gives numbers for categories, and keeps the word', async () => {
  const judge = customPromptJudge({ ...formality, numericValues: { formal: 1, 'semi formal': 0.5, 'not-formal': 0 } })
  const given = await asking(scripted(verdict('not-formal')), () => judge({ request: 'a', response: 'b' }))
  expect(given).toMatchObject({ value: 0, metadata: { string_value: 'not-formal' } })
})

test('customPromptJudge() says which variable was not given', async () => {
  const given = await customPromptJudge(formality)({ request: 'a' })
  expect(given.error).toEqual({ code: 'INPUTS_MISSING', message: `the template's variable "response" was not given` })
})

test.each<[string, object, string]>([
  [
    'no variables',
    { promptTemplate: '[[a]] [[b]]' },
    'names nothing to judge: it needs a variable such as {{ response }}',
  ],
  [
    'no categories',
    { promptTemplate: '{{ a }}' },
    '"promptTemplate" names no category\nHint: write each in double brackets',
  ],
  ['one category', { promptTemplate: '{{ a }} [[b]]' }, 'must have two categories at least'],
  [
    'numbers of other categories',
    { numericValues: { formal: 1, casual: 0 } },
    'must have exactly the categories of the template, "formal", "semi formal", "not-formal"; found "formal", "casual"',
  ],
  [
    'numbers that are none',
    { numericValues: { formal: 1, 'semi formal': Number.NaN, 'not-formal': 0 } },
    '"semi formal" must be a finite number, found NaN',
  ],
])('customPromptJudge() refuses %s at once', (_, wrong, message) => {
  expect(() => customPromptJudge({ ...formality, ...wrong } as never)).toThrow(message)
})

test('a custom prompt judge in a scorer keeps its own name; without it the Feedback takes the scorer name', async () => {
  const judge = customPromptJudge(formality)
  const wrapped = scorer('mine', ({ inputs, outputs }) => judge({ request: inputs, response: outputs }))
  const given = await asking(scripted(verdict('formal')), async () => wrapped({ inputs: 'a', outputs: 'b' }))
  expect(given).toMatchObject({ name: 'formality', value: 'formal' })
})

/** Prefers what a table says, whatever the order; `first` prefers what stands first. */
const chooser = (prefers: (first: string, second: string) => 'first' | 'second' | 'tie') =>
  scripted(({ messages }) => {
    const texts = Array.from(
      (messages[1]?.content ?? '').matchAll(/name="(?:first|second)">\n(.*)\n/g),
      ([, text]) => text as string,
    )
    return verdict(prefers(texts[0] as string, texts[1] as string))
  })
const pair = { inputs: 'q', outputs: 'ours', expectations: { baseline_response: 'theirs' } }

test.each<[string, (first: string) => 'first' | 'second' | 'tie', number, string, string]>([
  ['ours in both orders', (first: string) => (first === 'ours' ? 'first' : 'second'), 1, 'win', 'yes'],
  ['theirs in both orders', (first: string) => (first === 'ours' ? 'second' : 'first'), 0, 'loss', 'yes'],
  ['neither', () => 'tie', 0.5, 'tie', 'yes'],
  ['whatever stands first', () => 'first', 0.5, 'tie', 'no'],
  ['ours or neither', (first: string) => (first === 'ours' ? 'first' : 'tie'), 0.5, 'tie', 'no'],
] as const)(
  'pairwiseJudge() asks in both orders: a model that prefers %s',
  async (_, prefers, value, word, consistent) => {
    const model = chooser(prefers)
    const given = await asking(model, () => pairwiseJudge()(pair))
    expect(given).toMatchObject([
      { name: 'pairwise', value, metadata: { string_value: word } },
      { name: 'pairwise/consistent', value: consistent },
    ])
    expect(model.requests).toHaveLength(2)
  },
)

test('pairwiseJudge() has no verdict where one order has none, and none without the other answer', async () => {
  const model = scripted((_, nth) => (nth === 0 ? new ModelError('RATE_LIMITED', '429') : verdict('first')))
  expect(await asking(model, () => pairwiseJudge({ name: 'p' })(pair))).toMatchObject([
    { name: 'p', error: { code: 'RATE_LIMITED' } },
    { name: 'p/consistent', error: { code: 'RATE_LIMITED' } },
  ])
  expect(await asking(model, () => pairwiseJudge({ baseline: 'old' })(pair))).toMatchObject([
    { error: { code: 'EXPECTATION_MISSING' } },
    {},
  ])
})

const member = (address: string, ...answers: readonly Said[]) => ({ ...scripted(...answers), address })
const [yes, no, broken] = [
  member('a:/yes', verdict('yes')),
  member('b:/no', verdict('no')),
  member('c:/broken', 'what?'),
]

test.each([
  ['most', [yes, yes, no], {}, { value: 'yes', metadata: { 'votes.yes': 2, 'votes.no': 1, errors: 0 } }],
  ['all', [no, no, no], {}, { value: 'no' }],
  ['a tie', [yes, no], {}, { error: { code: 'TIE' } }],
  ['a tie with a verdict for it', [yes, no], { tie: 'no' }, { value: 'no', metadata: { tie: true } }],
  ['an error among votes', [yes, yes, broken], {}, { value: 'yes', metadata: { errors: 1 } }],
  ['errors of most', [yes, broken, broken], {}, { error: { code: 'NOT_JSON' } }],
  ['a mean', [yes, yes, no, no, yes], { combine: 'mean' }, { value: 0.6, metadata: { votes: 5 } }],
] as const)('panel() combines verdicts: %s', async (_, models, options, wanted) => {
  const judge = panel(Safety(), { models, ...options })
  const given = await asking(yes, () => judge({ outputs: 'x' }))
  expect(given).toMatchObject({ name: 'safety', ...wanted })
})

test('panel() says who said what, and asks one model anew each time it is named', async () => {
  const one = member('a:/yes', verdict('yes', 'fine'))
  const judge = panel(Safety(), { models: [one, one, no], name: 'safety_panel' })
  const given = await asking(yes, () => judge({ outputs: 'x' }))
  expect(given).toMatchObject({
    name: 'safety_panel',
    source: { id: 'a:/yes, b:/no' },
    rationale: 'a:/yes: yes, fine\na:/yes: yes, fine\nb:/no: no, because',
  })
  expect(one.requests.map(({ repeat }) => repeat)).toEqual([undefined, 1])
  expect(judge.version).not.toBe(panel(Safety(), { models: [one, no] }).version)
})

test('panel() of numbers gives their mean', async () => {
  const rating = makeJudge({ name: 'r', instructions: '{{ outputs }}', feedbackValueType: 'number' })
  const models = [1, 2, 6].map((value) => member(`m:/${value}`, verdict(value)))
  expect(await asking(yes, () => panel(rating, { models, combine: 'mean' })({ outputs: 'x' }))).toMatchObject({
    value: 3,
  })
})

test.each<[string, () => unknown, string]>([
  [
    'no judge',
    () => panel({} as never, { models: [yes, no] }),
    'Cannot make panel(): expected a judge and options, found an empty object',
  ],
  ['one model', () => panel(Safety(), { models: [yes] }), '"models" must be a list of two models at least'],
  [
    'another way to combine',
    () => panel(Safety(), { models: [yes, no], combine: 'median' as never }),
    '"combine" must be "majority" or "mean", found "median"',
  ],
])('panel() refuses %s at once', (_, make, message) => {
  expect(make).toThrow(message)
})

test('panel() is the majority of its members, whatever their order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([yes, yes, yes, no, no, broken, broken], { minLength: 2 }), async (models) => {
      const count = (one: unknown) => models.filter((model) => model === one).length
      const [up, down, lost] = [count(yes), count(no), count(broken)]
      const given = await asking(yes, () => panel(Safety(), { models })({ outputs: 'x' }))
      if ((up + down) * 2 < models.length || up + down === 0) expect(given.error?.code).toBe('NOT_JSON')
      else if (up === down) expect(given.error?.code).toBe('TIE')
      else expect(given.value).toBe(up > down ? 'yes' : 'no')
      if (!given.error) expect(given.metadata?.errors).toBe(lost)
    }),
    { numRuns: 50 },
  )
})
