import { EvaluationError, messageOf, quote } from '../errors.ts'
import type { FeedbackInit, GivenFeedback } from '../feedback.ts'
import type { StandardIssue, StandardResult, StandardSchema } from '../source.ts'
import { isThenable } from '../std/async.ts'
import { readJson } from './json.ts'
import { settle } from './options.ts'
import { type ReadyScorer, ready, Unscored, verdict } from './ready.ts'
import { OUTPUT_RULES, type OutputOptions, outputValue } from './text.ts'

/** Which part of the answer the schema sees. */
export interface JsonSchemaOptions extends OutputOptions {}

/** A JSON Schema as plain data: `{ type: 'object', required: ['city'] }`. */
export type JsonSchemaData = { readonly [keyword: string]: unknown }

/**
 * Gives `yes` when the answer is data that fits the schema, else `no` with the path and the message of the first issue. Column
 * `json_schema`; no expectation is read.
 *
 * The schema is one of zod or of any other library that speaks Standard Schema, or a JSON Schema as plain data, which zod reads (it has to
 * be installed). Text is parsed as JSON first, also under a schema for strings; outputs that are data already are checked as they are.
 * Gives a promise where the schema is asynchronous or plain data. A zod schema's part in the scorer's version covers its refinements
 * by their source text; where that cannot be told (another library's opaque objects), state a `version`.
 *
 * @throws TypeError when there is no schema, TypeError and RangeError for options that do not fit
 */
export function jsonSchema(
  schema: StandardSchema | JsonSchemaData,
  options?: JsonSchemaOptions,
): ReadyScorer<GivenFeedback | Promise<GivenFeedback>> {
  const standard = isStandard(schema)
  if (!standard && (typeof schema !== 'object' || schema === null || Array.isArray(schema))) {
    throw new TypeError(`Cannot make jsonSchema(): expected a schema, found ${quote(schema)}`)
  }
  const settings = settle('jsonSchema', options, { name: 'json_schema' }, OUTPUT_RULES)
  let checker: StandardSchema | Promise<StandardSchema> | undefined = standard ? schema : undefined
  return ready('jsonSchema', { ...settings, schema }, (args): FeedbackInit | Promise<FeedbackInit> => {
    const value = outputValue(args, settings)
    const { data, problem } = typeof value === 'string' ? readJson(value) : { data: value }
    if (problem !== undefined) return verdict(false, `Not JSON: ${problem}`)
    checker ??= fromData(schema as JsonSchemaData)
    const result =
      checker instanceof Promise
        ? checker.then((ready) => ready['~standard'].validate(data))
        : checker['~standard'].validate(data)
    return isThenable(result) ? Promise.resolve(result).then(judged) : judged(result)
  })
}

function judged({ issues }: StandardResult<unknown>): FeedbackInit {
  if (!issues) return verdict(true)
  const [first] = issues
  const path = first ? pathOf(first) : ''
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  return verdict(false, `${path && `${path}: `}${first?.message ?? 'the schema gave no reason'}${more}`)
}

function pathOf(issue: StandardIssue): string {
  const keys = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step))
  return keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('')
}

function isStandard(schema: unknown): schema is StandardSchema {
  const standard = (schema as Partial<StandardSchema> | null | undefined)?.['~standard']
  return typeof standard?.validate === 'function'
}

async function fromData(schema: JsonSchemaData): Promise<StandardSchema> {
  const { fromJSONSchema } = await import('zod').catch((cause) => {
    const hint = 'npm install zod, or pass a schema of a library that speaks Standard Schema'
    throw new EvaluationError('DEPENDENCY_MISSING', 'Cannot read a JSON Schema: zod is not installed', { hint, cause })
  })
  try {
    return fromJSONSchema(structuredClone(schema) as Parameters<typeof fromJSONSchema>[0])
  } catch (thrown) {
    throw new Unscored('SCHEMA_INVALID', `the JSON Schema cannot be read: ${messageOf(thrown)}`)
  }
}
