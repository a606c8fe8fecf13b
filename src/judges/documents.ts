import { quote } from '../errors.ts'
import type { Span, Trace } from '../trace.ts'
import { indented } from './block.ts'
import { Unjudged } from './fields.ts'

/** What retrievers found, read from their spans. The one place where judges know how documents are written down. */

export interface RetrievedDocument {
  readonly text: string
  readonly uri?: string
}

export interface Retrieval {
  readonly span: Span
  readonly documents: readonly RetrievedDocument[]
}

/**
 * Gives what each outermost RETRIEVER span found, in the order of time; a retriever within a retriever is a part of it.
 * @throws Unjudged where there is no such span, and where a document has no text that can be read
 */
export function retrievalsOf(trace: Trace): readonly Retrieval[] {
  const spans = trace.searchSpans({ type: 'RETRIEVER' })
  if (spans.length === 0)
    throw new Unjudged('SPAN_MISSING', 'the trace has no span of type RETRIEVER, so nothing says what was retrieved')
  const byId = new Map(trace.spans.map((span) => [span.id, span]))
  const within = (span: Span): boolean => {
    for (let parent = byId.get(span.parentId ?? ''); parent; parent = byId.get(parent.parentId ?? ''))
      if (parent.type === 'RETRIEVER') return true
    return false
  }
  return byTime(spans.filter((span) => !within(span))).map((span) => ({ span, documents: documentsOf(span) }))
}

/** Gives spans by start time. */
export function byTime(spans: readonly Span[]): Span[] {
  return [...spans].sort((a, b) => (a.startTimeNs < b.startTimeNs ? -1 : a.startTimeNs > b.startTimeNs ? 1 : 0))
}

function documentsOf(span: Span): RetrievedDocument[] {
  const { outputs } = span
  const list = Array.isArray(outputs) ? outputs : (outputs as { documents?: unknown } | undefined)?.documents
  if (!Array.isArray(list)) throw unreadable(span, `its outputs are ${quote(outputs)}, not a list of documents`)
  return list.map((item, i) => {
    const text = typeof item === 'string' ? item : firstText(item, TEXT_FIELDS)
    if (text === undefined)
      throw unreadable(span, `document ${i + 1} is ${quote(item)}, with no text under ${TEXT_FIELDS.join(', ')}`)
    const uri = firstText(item, URI_FIELDS) ?? firstText(item?.metadata, URI_FIELDS)
    return { text, ...(uri !== undefined && { uri }) }
  })
}

/** MLflow's own first, then what other libraries say. */
const TEXT_FIELDS = ['page_content', 'pageContent', 'content', 'text', 'document', 'body'] as const
const URI_FIELDS = ['doc_uri', 'docUri', 'uri', 'source', 'url', 'id', 'chunk_id'] as const

function firstText(item: unknown, fields: readonly string[]): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const texts = fields.map((field) => (item as Record<string, unknown>)[field])
  return texts.find((text): text is string => typeof text === 'string')
}

function unreadable(span: Span, why: string): Unjudged {
  return new Unjudged('DOCUMENTS_UNREADABLE', `Cannot read what span ${quote(span.name)} retrieved: ${why}`)
}

/** Gives documents as a judge reads them; every line of theirs is indented, so that none can pretend to be another. */
export function documentsText(retrievals: readonly Retrieval[]): string {
  const several = retrievals.length > 1
  let number = 0
  const texts = retrievals.flatMap(({ span, documents }, i) => [
    ...(several ? [`Retrieval ${i + 1} (${span.name}): ${documents.length} found`] : []),
    ...documents.map((document) => `Document ${++number}${placeText(document)}:\n${indented(document.text)}`),
  ])
  return texts.length === 0 ? '(nothing was found)' : texts.join('\n\n')
}

/** Gives where a document is from, in parentheses. */
function placeText({ uri }: RetrievedDocument): string {
  return uri === undefined ? '' : ` (${uri.replace(/\s+/g, ' ')})`
}
