import { dict } from './std/json.ts'

/** Reading attributes: those of a span, by the names that conventions give them. */

export type Attributes = Readonly<Record<string, unknown>>

/** The value of an attribute, or of one field of an attribute that is an object or its JSON. */
export type Path = string | readonly [attribute: string, field: string]

/** Gives the value at the first path that has one. */
export function firstOf(attributes: Attributes, paths: readonly Path[]): unknown {
  for (const path of paths) {
    const found = valueAt(attributes, path)
    if (found !== undefined && found !== null && found !== '') return found
  }
  return undefined
}

function valueAt(attributes: Attributes, path: Path): unknown {
  if (typeof path === 'string') return own(attributes, path)
  const value = structured(own(attributes, path[0]))
  return isRecord(value) ? own(value, path[1]) : undefined
}

function own(record: Attributes, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** Gives the text of an attribute; MLflow keeps it as JSON, in quotes. */
export function textAt(attributes: Attributes, paths: readonly Path[]): string | undefined {
  const value = structured(firstOf(attributes, paths))
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Gives the number of an attribute, which may stand there as text. */
export function numberAt(attributes: Attributes, paths: readonly Path[]): number | undefined {
  const value = firstOf(attributes, paths)
  const number = typeof value === 'string' || typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** Parses what can only be meant as JSON: an object, a list or a text in quotes. Everything else stays as it is. */
export function structured(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{"]/.test(value)) return value
  return parsed(value)
}

/** Parses a text if it is JSON. */
export function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Around every item of a list OpenInference puts an object with one of these as its only field. */
const WRAPPERS = new Set(['message', 'message_content', 'tool_call', 'document', 'tool', 'embedding'])

interface Tree {
  [step: string]: Tree | { readonly leaf: unknown }
}

/**
 * Gives the lists and objects that flat names spell: `llm.input_messages.0.message.role` is the role of the first message.
 * @param prefix with the dot at its end
 */
export function unflatten(attributes: Attributes, prefix: string): unknown {
  const tree = dict() as Tree
  for (const key of Object.keys(attributes)) {
    if (!key.startsWith(prefix) || key.length === prefix.length) continue
    const steps = key.slice(prefix.length).split('.')
    if (steps.length > MAX_STEPS) continue
    const last = steps.pop() as string
    let at = tree
    for (const step of steps) at = branch(at, step)
    at[last] ??= { leaf: attributes[key] }
  }
  return Object.keys(tree).length === 0 ? undefined : grown(tree)
}

/** Deeper than any convention goes. */
const MAX_STEPS = 32
const LEAF = 'leaf'

function branch(tree: Tree, step: string): Tree {
  const there = tree[step]
  if (there && Object.getPrototypeOf(there) === null) return there as Tree
  const fresh = dict() as Tree
  // What stood there as a value makes room for what has fields.
  tree[step] = fresh
  return fresh
}

function grown(tree: Tree): unknown {
  const keys = Object.keys(tree)
  const value = (key: string): unknown => {
    const node = tree[key] as Tree
    return Object.getPrototypeOf(node) === null ? grown(node) : node[LEAF]
  }
  if (!keys.every((key) => /^\d{1,9}$/.test(key))) return Object.fromEntries(keys.map((key) => [key, value(key)]))
  return keys.sort((a, b) => Number(a) - Number(b)).map((key) => unwrapped(value(key)))
}

function unwrapped(item: unknown): unknown {
  if (!isRecord(item)) return item
  const [only, ...others] = Object.keys(item)
  return only !== undefined && others.length === 0 && WRAPPERS.has(only) ? item[only] : item
}
