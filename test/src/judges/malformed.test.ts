import { expect, test } from 'vitest'
import { customPromptJudge, makeJudge, Safety } from '../../../src/judges/index.ts'
import { ModelError } from '../../../src/model.ts'
import { asking, type Said, scripted, verdict } from '../../data/judging.ts'

const yes = verdict('yes')
const no = verdict('no')

/** Answers that are no verdict of yes or no, with the code that says why. */
const SHAPES: [string, Said, string][] = [
  // Nothing
  ['empty', '', 'EMPTY'],
  ['spaces', '  \n\t ', 'EMPTY'],
  // Prose
  ['a bare yes', 'yes', 'NOT_JSON'],
  ['a bare no', 'No.', 'NOT_JSON'],
  ['yes in prose', 'I think the answer is yes.', 'NOT_JSON'],
  ['yes in a denial', 'No, "yes" would be wrong.', 'NOT_JSON'],
  ['Markdown', '**Verdict:** yes', 'NOT_JSON'],
  ['lines of key and value', 'rationale: fine\nvalue: yes', 'NOT_JSON'],
  ['YAML', '---\nrationale: fine\nvalue: "yes"\n', 'NOT_JSON'],
  ['XML', '<rationale>fine</rationale><value>yes</value>', 'NOT_JSON'],
  ['a call of a function', 'verdict("fine", "yes")', 'NOT_JSON'],
  ['a refusal in prose', "I'm sorry, I can't help with that.", 'NOT_JSON'],
  ['HTML', '<!doctype html><html><body>502 Bad Gateway</body></html>', 'NOT_JSON'],
  ['TOML', 'rationale = "fine"\nvalue = "yes"', 'NOT_JSON'],
  ['a table', '| rationale | value |\n|---|---|\n| fine | yes |', 'NOT_JSON'],
  ['an emoji', '👍', 'NOT_JSON'],
  // JSON, but no object
  ['a JSON string', '"yes"', 'SCHEMA_MISMATCH'],
  ['JSON true', 'true', 'SCHEMA_MISMATCH'],
  ['JSON null', 'null', 'SCHEMA_MISMATCH'],
  ['a JSON number', '1', 'SCHEMA_MISMATCH'],
  ['an empty list', '[]', 'SCHEMA_MISMATCH'],
  ['a list of the fields', '["fine", "yes"]', 'SCHEMA_MISMATCH'],
  ['a list of one verdict', `[${yes}]`, 'SCHEMA_MISMATCH'],
  ['a list of two verdicts', `[${yes}, ${no}]`, 'SCHEMA_MISMATCH'],
  ['a verdict in a string', JSON.stringify(yes), 'SCHEMA_MISMATCH'],
  // Objects that lack something
  ['an empty object', '{}', 'SCHEMA_MISMATCH'],
  ['no value', '{"rationale": "fine"}', 'SCHEMA_MISMATCH'],
  ['no rationale', '{"value": "yes"}', 'SCHEMA_MISMATCH'],
  ['value null', '{"rationale": "fine", "value": null}', 'SCHEMA_MISMATCH'],
  ['rationale null', '{"rationale": null, "value": "yes"}', 'SCHEMA_MISMATCH'],
  ['rationale a number', '{"rationale": 1, "value": "yes"}', 'SCHEMA_MISMATCH'],
  ['rationale a list', '{"rationale": ["fine"], "value": "yes"}', 'SCHEMA_MISMATCH'],
  ['rationale an object', '{"rationale": {"text": "fine"}, "value": "yes"}', 'SCHEMA_MISMATCH'],
  ['other names', '{"reason": "fine", "verdict": "yes"}', 'SCHEMA_MISMATCH'],
  ["MLflow's names", '{"rationale": "fine", "result": "yes"}', 'SCHEMA_MISMATCH'],
  ['names in capitals', '{"Rationale": "fine", "Value": "yes"}', 'SCHEMA_MISMATCH'],
  ['names with spaces', '{" rationale": "fine", " value": "yes"}', 'SCHEMA_MISMATCH'],
  ['a verdict one level down', `{"result": ${yes}}`, 'SCHEMA_MISMATCH'],
  ['a verdict two levels down', `{"data": {"result": ${yes}}}`, 'SCHEMA_MISMATCH'],
  ['verdicts in a list one level down', `{"results": [${yes}]}`, 'SCHEMA_MISMATCH'],
  [
    'the schema instead of an answer',
    '{"type": "object", "properties": {"value": {"enum": ["yes", "no"]}}}',
    'SCHEMA_MISMATCH',
  ],
  ['an error of a gateway', '{"error": {"message": "overloaded"}}', 'SCHEMA_MISMATCH'],
  ['fields of the prototype', '{"__proto__": {"rationale": "fine", "value": "yes"}}', 'SCHEMA_MISMATCH'],
  // Values of a wrong kind
  ['value true', '{"rationale": "fine", "value": true}', 'SCHEMA_MISMATCH'],
  ['value false', '{"rationale": "bad", "value": false}', 'SCHEMA_MISMATCH'],
  ['value 1', '{"rationale": "fine", "value": 1}', 'SCHEMA_MISMATCH'],
  ['value 0', '{"rationale": "bad", "value": 0}', 'SCHEMA_MISMATCH'],
  ['value a list', '{"rationale": "fine", "value": ["yes"]}', 'SCHEMA_MISMATCH'],
  ['value an object', '{"rationale": "fine", "value": {"yes": true}}', 'SCHEMA_MISMATCH'],
  ['value beyond every number', '{"rationale": "fine", "value": 1e999}', 'SCHEMA_MISMATCH'],
  // Off the menu
  ['Yes', verdict('Yes'), 'OFF_MENU'],
  ['YES', verdict('YES'), 'OFF_MENU'],
  ['yes with a space', verdict('yes '), 'OFF_MENU'],
  ['yes with a full stop', verdict('yes.'), 'OFF_MENU'],
  ['yes with a hidden mark', verdict('yes\u200b'), 'OFF_MENU'],
  ['yes in Cyrillic', verdict('уеs'), 'OFF_MENU'],
  ['yes in quotes', verdict('"yes"'), 'OFF_MENU'],
  ['y', verdict('y'), 'OFF_MENU'],
  ['true as text', verdict('true'), 'OFF_MENU'],
  ['pass', verdict('pass'), 'OFF_MENU'],
  ['1 as text', verdict('1'), 'OFF_MENU'],
  ['unknown', verdict('unknown'), 'OFF_MENU'],
  ['maybe', verdict('maybe'), 'OFF_MENU'],
  ['partially', verdict('partially'), 'OFF_MENU'],
  ['both', verdict('yes and no'), 'OFF_MENU'],
  ['one of them', verdict('yes|no'), 'OFF_MENU'],
  ['ja', verdict('ja'), 'OFF_MENU'],
  ['an empty value', verdict(''), 'OFF_MENU'],
  ['a sentence', verdict('yes, because it is'), 'OFF_MENU'],
  // Broken JSON
  ['cut in the rationale', '{"rationale": "it is fi', 'NOT_JSON'],
  ['cut before the value', '{"rationale": "fine", "value":', 'NOT_JSON'],
  ['cut within the value', '{"rationale": "fine", "value": "ye', 'NOT_JSON'],
  ['cut before the last brace', '{"rationale": "fine", "value": "yes"', 'NOT_JSON'],
  ['no first brace', '"rationale": "fine", "value": "yes"}', 'NOT_JSON'],
  ['a trailing comma', '{"rationale": "fine", "value": "yes",}', 'NOT_JSON'],
  ['a missing comma', '{"rationale": "fine" "value": "yes"}', 'NOT_JSON'],
  ['single quotes', "{'rationale': 'fine', 'value': 'yes'}", 'NOT_JSON'],
  ['typographic quotes', '{“rationale”: “fine”, “value”: “yes”}', 'NOT_JSON'],
  ['keys without quotes', '{rationale: "fine", value: "yes"}', 'NOT_JSON'],
  ['a value without quotes', '{"rationale": "fine", "value": yes}', 'NOT_JSON'],
  ['comments', '{"rationale": "fine", /* sure */ "value": "yes"}', 'NOT_JSON'],
  ['a raw line end in a string', '{"rationale": "one\ntwo", "value": "yes"}', 'NOT_JSON'],
  ['a raw tab in a string', '{"rationale": "one\ttwo", "value": "yes"}', 'NOT_JSON'],
  ['a bad escape', '{"rationale": "\\x", "value": "yes"}', 'NOT_JSON'],
  ['quotes within quotes', '{"rationale": "says "fine"", "value": "yes"}', 'NOT_JSON'],
  ["Python's words", '{"rationale": None, "value": "yes"}', 'NOT_JSON'],
  ['NaN', '{"rationale": "fine", "value": NaN}', 'NOT_JSON'],
  ['an equals sign', '{"rationale" = "fine", "value" = "yes"}', 'NOT_JSON'],
  ['semicolons', '{"rationale": "fine"; "value": "yes"}', 'NOT_JSON'],
  ['an ellipsis', '{"rationale": "...", ...}', 'NOT_JSON'],
  ['a brace too many', `${yes}}`, 'NOT_JSON'],
  ['braces twice', `{${yes}}`, 'NOT_JSON'],
  ['a template', '{{"rationale": "fine", "value": "yes"}}', 'NOT_JSON'],
  // More than one
  ['two verdicts', `${yes}${no}`, 'NOT_JSON'],
  ['two verdicts on lines', `${yes}\n${no}`, 'NOT_JSON'],
  ['the same verdict twice', `${yes} ${yes}`, 'NOT_JSON'],
  ['an example before it', `For example {"rationale": "…", "value": "no"}. My verdict: ${yes}`, 'NOT_JSON'],
  ['second thoughts', `${yes}\nOn reflection: ${no}`, 'NOT_JSON'],
  ['two fences', `\`\`\`json\n${yes}\n\`\`\`\n\`\`\`json\n${no}\n\`\`\``, 'NOT_JSON'],
  ['another object beside it', `${yes} {}`, 'NOT_JSON'],
  ['value twice', '{"rationale": "fine", "value": "no", "value": "yes"}', 'SCHEMA_MISMATCH'],
  ['value twice, once escaped', '{"rationale": "fine", "value": "no", "v\\u0061lue": "yes"}', 'SCHEMA_MISMATCH'],
  ['rationale twice', '{"rationale": "fine", "rationale": "bad", "value": "yes"}', 'SCHEMA_MISMATCH'],
  // Parts of something
  ['a list in prose', `Verdicts: [${yes}] as asked`, 'NOT_JSON'],
  ['the rest of a list', `, ${yes}]`, 'NOT_JSON'],
  ['the value of a key', `"result": ${yes} and so on`, 'NOT_JSON'],
  ['a broken object around it', `{oops ${yes}}`, 'NOT_JSON'],
  ['an open object before it', `{"draft": ${yes}`, 'NOT_JSON'],
  ['a fence that is cut', '```json\n{"rationale": "fine", "value": "yes"', 'NOT_JSON'],
  ['a fence of Python', "```python\n{'value': 'yes'}\n```", 'NOT_JSON'],
  ['thinking that never ends', `<think>first ${yes}`, 'NOT_JSON'],
  ['a verdict within thinking only', `<think>${yes}</think> Let me see.`, 'NOT_JSON'],
  ['nothing after thinking', '<think>hm</think>', 'NOT_JSON'],
  ['formulae', `We have \\frac{1}{2}, hence ${yes}`, 'NOT_JSON'],
  // Whole verdicts that did not come to their end, and none at all
  ['a cut-off answer that looks whole', { text: yes, finishReason: 'length' }, 'TRUNCATED'],
  ['a refusal that looks whole', { text: yes, finishReason: 'refusal', refusal: 'I will not' }, 'REFUSED'],
  ['a refusal beside a text', { text: yes, finishReason: 'stop', refusal: 'I will not' }, 'REFUSED'],
  ['a filtered answer that looks whole', { text: yes, finishReason: 'content_filter' }, 'CONTENT_FILTERED'],
  ['an end that nobody knows', { text: yes, finishReason: 'other' }, 'UNFINISHED'],
  ['a tool instead of a verdict', { text: yes, finishReason: 'tool_calls' }, 'UNFINISHED'],
  ['no connection', new ModelError('TRANSPORT', 'connection reset'), 'TRANSPORT'],
  ['too many calls', new ModelError('RATE_LIMITED', '429'), 'RATE_LIMITED'],
  ['too slow', new ModelError('TIMEOUT', 'no answer in 5 s'), 'TIMEOUT'],
  ['a response that is none', new ModelError('MALFORMED_RESPONSE', 'no choices'), 'MALFORMED_RESPONSE'],
  ['no money left', new ModelError('BUDGET_EXCEEDED', 'budget of $1'), 'BUDGET_EXCEEDED'],
]

test('there are at least a hundred malformed answers, all different', () => {
  expect(new Set(SHAPES.map(([name]) => name)).size).toBe(SHAPES.length)
  expect(SHAPES.length).toBeGreaterThanOrEqual(100)
})

test.each(SHAPES)('a judge of yes and no takes no verdict from: %s', async (_, said, code) => {
  const feedback = await asking(scripted(said), () => Safety()({ outputs: 'x' }))
  expect(feedback.value).toBeUndefined()
  expect(feedback.error?.code).toBe(code)
  expect(feedback.source).toEqual({ type: 'LLM_JUDGE', id: 'test:/scripted' })
})

const rating = makeJudge({ name: 'rating', instructions: 'Rate {{ outputs }}', feedbackValueType: { min: 1, max: 5 } })
const whole = makeJudge({
  name: 'whole',
  instructions: 'Rate {{ outputs }}',
  feedbackValueType: { min: 1, max: 5, integer: true },
})

test.each<[string, string, string]>([
  ['0', '{"rationale": "", "value": 0}', 'OUT_OF_RANGE'],
  ['5.01', '{"rationale": "", "value": 5.01}', 'OUT_OF_RANGE'],
  ['-3', '{"rationale": "", "value": -3}', 'OUT_OF_RANGE'],
  ['infinity', '{"rationale": "", "value": 1e999}', 'OUT_OF_RANGE'],
  ['text', '{"rationale": "", "value": "4"}', 'SCHEMA_MISMATCH'],
  ['a word', '{"rationale": "", "value": "four"}', 'SCHEMA_MISMATCH'],
  ['a share', '{"rationale": "", "value": "4/5"}', 'SCHEMA_MISMATCH'],
  ['null', '{"rationale": "", "value": null}', 'SCHEMA_MISMATCH'],
  ['true', '{"rationale": "", "value": true}', 'SCHEMA_MISMATCH'],
  ['a decimal comma', '{"rationale": "", "value": 4,5}', 'NOT_JSON'],
  ['a plus sign', '{"rationale": "", "value": +4}', 'NOT_JSON'],
])('a judge of numbers from 1 to 5 takes no verdict from: %s', async (_, said, code) => {
  const feedback = await asking(scripted(said), () => rating({ outputs: 'x' }))
  expect([feedback.value, feedback.error?.code]).toEqual([undefined, code])
})

test('a judge of whole numbers takes no 4.5', async () => {
  const feedback = await asking(scripted(verdict(4.5)), () => whole({ outputs: 'x' }))
  expect(feedback.error?.message).toBe('field "value" must be a whole number from 1 to 5, found 4.5 (asked twice)')
})

test.each(['"true"', '"yes"', '1', '0', 'null', '"false"', '[]'])(
  'a judge of booleans takes no verdict from: %s',
  async (value) => {
    const judge = makeJudge({ name: 'ok', instructions: '{{ outputs }}?', feedbackValueType: 'boolean' })
    const said = `{"rationale": "", "value": ${value}}`
    const feedback = await asking(scripted(said), () => judge({ outputs: 'x' }))
    expect([feedback.value, feedback.error?.code]).toEqual([undefined, 'SCHEMA_MISMATCH'])
  },
)

test.each(['[[formal]]', 'Formal', 'formal ', 'informal', 'toString', '__proto__'])(
  'a custom prompt judge takes no verdict from: %s',
  async (choice) => {
    const judge = customPromptJudge({
      name: 'formality',
      promptTemplate: '{{ response }} [[formal]] [[casual]]',
      numericValues: { formal: 1, casual: 0 },
    })
    const feedback = await asking(scripted(verdict(choice)), () => judge({ response: 'x' }))
    expect([feedback.value, feedback.error?.code]).toEqual([undefined, 'OFF_MENU'])
  },
)

test.each<[string, string]>([
  ['as asked', yes],
  ['with space around', `\n  ${yes}\n`],
  ['pretty', JSON.stringify(JSON.parse(yes), undefined, 2)],
  ['with a byte order mark', `\ufeff${yes}`],
  ['in a fence', `\`\`\`json\n${yes}\n\`\`\``],
  ['in a bare fence', `\`\`\`\n${yes}\n\`\`\``],
  ['after prose', `Here is my verdict:\n\n${yes}`],
  ['before prose', `${yes}\n\nI hope this helps.`],
  ['after thinking', `<think>Is it {safe}? {"value": "no"} no…</think>\n${yes}`],
  ['value first', '{"value": "yes", "rationale": "because"}'],
  ['with a field beyond', '{"rationale": "because", "value": "yes", "confidence": 0.9}'],
  ['with the field names in the rationale', verdict('yes', '{"rationale": "x", "value": "no"}')],
  ['with a nested field of that name', '{"rationale": "because", "value": "yes", "more": {"value": "no"}}'],
])('a whole verdict is taken: %s', async (_, said) => {
  const model = scripted(said)
  const feedback = await asking(model, () => Safety()({ outputs: 'x' }))
  expect(feedback).toMatchObject({ name: 'safety', value: 'yes' })
  expect(feedback.error).toBeUndefined()
  expect(model.requests).toHaveLength(1)
})
