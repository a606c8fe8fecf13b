import { messageOf, quote } from '../errors.ts'
import { type Domain, domainSchema, domainText, type ValueFault, valueFault } from './values.ts'

/** What a judge's model has to answer, and reading it. An answer is a verdict or it is not: nothing is mended, nothing is guessed. */

/** The object that is asked for. */
export interface AnswerForm {
  readonly domain: Domain
  /** The field of the verdict. */
  readonly value: string
  /** The fields of reasons, all text, which come first so that the verdict follows from them. */
  readonly rationale: readonly string[]
}

/** What a model said. */
export interface Verdict {
  readonly value: boolean | number | string
  readonly rationale: string
}

/** Why an answer is no verdict. */
export interface Misreading {
  readonly code: 'EMPTY' | 'NOT_JSON' | ValueFault
  readonly message: string
}

/** What the fields of an answer are called. */
export interface AnswerFields {
  /** @default 'value' */
  readonly value?: string
  /** @default ['rationale'] */
  readonly rationale?: readonly string[]
}

/**
 * Gives the form of an answer.
 * @param what starts the sentence where the names do not fit
 * @throws TypeError for names that are none or that stand there twice
 */
export function answerForm(domain: Domain, fields: AnswerFields = {}, what = ''): AnswerForm {
  const { value = 'value', rationale = ['rationale'] } = fields
  const names: readonly unknown[] = Array.isArray(rationale) ? [...rationale, value] : [undefined]
  if (names.length < 2 || !names.every((name) => typeof name === 'string' && name !== ''))
    throw new TypeError(`${what} must be { value: 'name', rationale: ['name', …] }, found ${quote(fields)}`)
  if (new Set(names).size < names.length) throw new TypeError(`${what} has one name twice`)
  return { domain, value, rationale }
}

/** Gives the JSON Schema of a form: rationale first, nothing else allowed, as strict structured output wants it. */
export function answerSchema({ domain, value, rationale }: AnswerForm): Readonly<Record<string, unknown>> {
  const reasons = Object.fromEntries(rationale.map((name) => [name, { type: 'string' }]))
  return {
    type: 'object',
    properties: { ...reasons, [value]: domainSchema(domain) },
    required: [...rationale, value],
    additionalProperties: false,
  }
}

/** Says in one sentence what has to be answered. */
export function answerText({ domain, value, rationale }: AnswerForm): string {
  const reasons = rationale.map((name) => `${JSON.stringify(name)} (text)`).join(', ')
  return `Answer with one JSON object and nothing else: first ${reasons}, then ${JSON.stringify(value)} (${domainText(domain)}).`
}

/**
 * Reads an answer that came to its proper end: as JSON from end to end, else as the only object in the text, bare or fenced. Fields
 * beyond the form are ignored; a field that stands there twice is none.
 */
export function readAnswer(text: string, form: AnswerForm): Verdict | Misreading {
  if (text.trim() === '') return { code: 'EMPTY', message: 'the model answered nothing' }
  const found = objectIn(text)
  return 'code' in found ? found : verdictOf(found.data, found.text, form)
}

/** True for an answer that is no verdict. */
export function isMisreading(read: Verdict | Misreading): read is Misreading {
  return 'code' in read
}

function verdictOf(data: unknown, text: string, form: AnswerForm): Verdict | Misreading {
  const mismatch = (message: string): Misreading => ({ code: 'SCHEMA_MISMATCH', message })
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    return mismatch(`the answer must be an object, found ${quote(data)}`)
  const record = data as Record<string, unknown>
  const keys = topKeys(text)
  for (const name of [...form.rationale, form.value]) {
    const times = keys.filter((key) => key === name).length
    if (times !== 1) return mismatch(`the answer has ${times === 0 ? 'no' : 'more than one'} field "${name}"`)
  }
  for (const name of form.rationale) {
    if (typeof record[name] !== 'string') return mismatch(`field "${name}" must be text, found ${quote(record[name])}`)
  }
  const value = record[form.value]
  const fault = valueFault(form.domain, value)
  if (fault) {
    const message = `field "${form.value}" must be ${domainText(form.domain)}, found ${quote(value)}`
    return { code: fault, message }
  }
  return { value: value as Verdict['value'], rationale: rationaleOf(record, form.rationale) }
}

function rationaleOf(record: Readonly<Record<string, unknown>>, names: readonly string[]): string {
  const texts = names.map((name) => String(record[name]).trim())
  return names.length === 1 ? (texts[0] ?? '') : names.map((name, i) => `${name}: ${texts[i]}`).join('\n')
}

interface FoundObject {
  readonly data: unknown
  readonly text: string
}

function objectIn(text: string): FoundObject | Misreading {
  const whole = parsed(text.trim())
  if (!('code' in whole)) return whole
  const body = withoutThinking(text)
  if (body === undefined) return { code: 'NOT_JSON', message: 'the answer ends within its <think> block' }
  const regions = objectRegions(body)
  if (typeof regions === 'string') return { code: 'NOT_JSON', message: regions }
  const [region, ...more] = regions
  if (!region) return { code: 'NOT_JSON', message: 'the answer holds no JSON object' }
  if (more.length > 0) return { code: 'NOT_JSON', message: `the answer holds ${more.length + 1} objects, not one` }
  const [before, after] = [body.slice(0, region.start), body.slice(region.end)]
  if (/(?:[[,]|["']\s*[:=])\s*$/.test(before) || /^\s*[\],]/.test(after))
    return { code: 'NOT_JSON', message: 'the object in the answer is a part of something else' }
  return parsed(body.slice(region.start, region.end))
}

function parsed(text: string): FoundObject | Misreading {
  try {
    return { data: JSON.parse(text), text }
  } catch (thrown) {
    return { code: 'NOT_JSON', message: `the answer is not JSON: ${messageOf(thrown)}` }
  }
}

/** Some models think aloud before they answer; what they say there is not their verdict. Undefined when they never stop. */
function withoutThinking(text: string): string | undefined {
  if (!/^\s*<think(?:ing)?>/i.test(text)) return text
  const ends = [...text.matchAll(/<\/think(?:ing)?>/gi)].at(-1)
  return ends && text.slice(ends.index + ends[0].length)
}

interface Region {
  readonly start: number
  readonly end: number
}

/** Gives where objects stand in a text, outermost ones only, or says why that cannot be told. */
function objectRegions(text: string): Region[] | string {
  const regions: Region[] = []
  const unbalanced = 'the braces in the answer do not match'
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '}') return unbalanced
    if (text[i] !== '{') continue
    const end = closingBrace(text, i)
    if (end === undefined) return unbalanced
    regions.push({ start: i, end })
    i = end - 1
  }
  return regions
}

/** Gives the place after the brace that closes the one at `start`; strings are read as JSON reads them. */
function closingBrace(text: string, start: number): number | undefined {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const char = text[i]
    if (char === '"') {
      const end = closingQuote(text, i)
      if (end === undefined) return undefined
      i = end - 1
    } else if (char === '{') depth++
    else if (char === '}' && --depth === 0) return i + 1
  }
  return undefined
}

function closingQuote(text: string, start: number): number | undefined {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i + 1
  }
  return undefined
}

/** Gives the keys of an object's text as they stand there, repeated ones included; JSON.parse would keep the last. */
function topKeys(text: string): string[] {
  const keys: string[] = []
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    else if (char === '"') {
      const end = closingQuote(text, i) ?? text.length
      if (depth === 1 && /^\s*:/.test(text.slice(end, end + 50))) keys.push(JSON.parse(text.slice(i, end)))
      i = end - 1
    }
  }
  return keys
}
