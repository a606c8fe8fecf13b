import { isRecord, type Path, structured, textAt, unflatten } from './attributes.ts'
import { normaliseSpan } from './conventions.ts'
import { quote } from './errors.ts'
import type { Span } from './span.ts'
import { clip } from './std/text.ts'

/** What a retriever found: the documents of a span, whatever their fields are called. */

/** One retrieved document. */
export interface RetrievedDocument {
  /** Its text. */
  readonly content: string
  readonly id?: string
  /** Where it comes from: MLflow's `doc_uri`, a URL, a source. */
  readonly uri?: string
  /** As the retriever gives it; what it means differs. */
  readonly score?: number
  readonly metadata?: Readonly<Record<string, unknown>>
}

const CONTENT: readonly string[] = [
  'page_content',
  'pageContent',
  'content',
  'text',
  'chunk',
  'document',
  'body',
  'passage',
  'snippet',
  'chunk_text',
  'chunkText',
  'chunk_content',
  'page_text',
  'paragraph',
  'document_text',
  'raw_content',
]
/** Objects around what has the content: LlamaIndex's node, Pinecone's metadata, Qdrant's payload, Elasticsearch's _source. */
const AROUND: readonly string[] = [
  'document',
  'doc',
  'node',
  'chunk',
  'metadata',
  'payload',
  '_source',
  'fields',
  'item',
]
/** Fields that hold the list of documents. */
const LISTS: readonly string[] = [
  'documents',
  'docs',
  'results',
  'matches',
  'hits',
  'chunks',
  'nodes',
  'source_nodes',
  'sources',
  'source_documents',
  'passages',
  'context',
  'contexts',
  'points',
  'items',
  'data',
  'output',
  'outputs',
  'result',
  'rows',
]
const URI: readonly Path[] = ['doc_uri', 'uri', 'url', 'source', 'link', 'path', 'file_path', 'title']
const ID: readonly string[] = ['id', '_id', 'doc_id', 'document_id', 'chunk_id', 'node_id']
const SCORE: readonly string[] = ['score', '_score', 'similarity', 'relevance_score', 'relevanceScore']

/**
 * Gives the documents that a retriever's span found, in its order: of OpenInference's attributes, else of its outputs, which may be a list of
 * texts, of objects with their text under one of the names in use (`page_content`, `pageContent`, `content`, `text`, `chunk`, …), or an
 * object that holds such a list. A span that found nothing gives none, and so does one that failed.
 *
 * @throws TypeError that says what was found, when the outputs hold no document that can be read
 */
export function documentsOf(span: Span): RetrievedDocument[] {
  const flat = unflatten(span.attributes, 'retrieval.documents.')
  const outputs = flat ?? normaliseSpan(span).outputs
  if (outputs === undefined && span.status === 'ERROR') return []
  const list = listIn(structured(outputs))
  if (!list) throw unreadable(span, `expected a list of documents, found ${quote(outputs)}`)
  return list.map((item, i) => {
    const document = documentIn(structured(item))
    if (document) return document
    const hint = `a document is a text, or an object with its text as ${CONTENT.slice(0, 5).map(quote).join(', ')} or the like`
    throw unreadable(span, `document ${i + 1} is ${quote(item)}\nHint: ${hint}`)
  })
}

function unreadable({ name, id }: Span, problem: string): TypeError {
  return new TypeError(`Cannot read the documents of span ${quote(name)} (${clip(id, 32)}): ${problem}`)
}

function listIn(value: unknown, depth = 0): readonly unknown[] | undefined {
  if (value === null) return []
  if (Array.isArray(value)) {
    // Chroma answers several queries at once: a list of lists. LangChain pairs a document with its score.
    if (value.length > 0 && value.every((item) => Array.isArray(item) && !isScored(item))) return value.flat()
    return value
  }
  if (!isRecord(value) || depth > 2) return undefined
  for (const name of LISTS) {
    if (!Object.hasOwn(value, name)) continue
    const list = listIn(structured(value[name]), depth + 1)
    if (list) return list
  }
  return documentIn(value) && [value]
}

function isScored(item: readonly unknown[]): boolean {
  return item.length === 2 && isRecord(item[0]) && typeof item[1] === 'number'
}

function documentIn(item: unknown): RetrievedDocument | undefined {
  if (typeof item === 'string') return { content: item }
  if (Array.isArray(item) && isScored(item)) {
    const document = documentIn(item[0])
    return document && { ...document, score: item[1] as number }
  }
  if (!isRecord(item)) return undefined
  const content = contentIn(item)
  if (content === undefined) return undefined
  const inner = AROUND.map((name) => item[name]).filter(isRecord)
  const places = [item, ...inner, ...inner.map(({ metadata }) => metadata).filter(isRecord)]
  const metadata = places.map((place) => structured(place.metadata)).find(isRecord)
  const id = found(places, ID, (value) => typeof value === 'string' || typeof value === 'number')
  const score = found(places, SCORE, (value) => typeof value === 'number')
  const uri = places.map((place) => textAt(place, URI)).find((text) => text !== undefined)
  return {
    content,
    ...(id !== undefined && { id: String(id) }),
    ...(uri !== undefined && { uri }),
    ...(score !== undefined && { score: score as number }),
    ...(metadata && { metadata }),
  }
}

function contentIn(item: Readonly<Record<string, unknown>>, depth = 0): string | undefined {
  for (const name of CONTENT) {
    const text = textOf(item[name])
    if (text !== undefined) return text
  }
  if (depth > 2) return undefined
  for (const name of AROUND) {
    const inner = structured(item[name])
    const text = isRecord(inner) ? contentIn(inner, depth + 1) : undefined
    if (text !== undefined) return text
  }
  return undefined
}

/** A text, or a list of texts or of parts with a text each, as models give content. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value) || value.length === 0) return undefined
  const parts = value.map((part) => (isRecord(part) ? part.text : part))
  return parts.every((part) => typeof part === 'string') ? parts.join('\n') : undefined
}

function found(
  places: readonly Record<string, unknown>[],
  names: readonly string[],
  fits: (value: unknown) => boolean,
) {
  for (const place of places) {
    const name = names.find((one) => fits(place[one]))
    if (name !== undefined) return place[name]
  }
  return undefined
}

/** A document with the span that found it. */
export interface FoundDocument extends RetrievedDocument {
  readonly spanId: string
}

/**
 * Gives what the retrievers of a trace found, in the order of its spans; of retrievers inside another one, which answers for them, nothing.
 * @throws TypeError as `documentsOf`
 */
export function documentsAmong(spans: readonly Span[]): FoundDocument[] {
  const byId = new Map(spans.map((span) => [span.id, span]))
  const isRetriever = (span: Span): boolean => normaliseSpan(span).type === 'RETRIEVER'
  const isInner = (span: Span): boolean => {
    const seen = new Set([span.id])
    for (
      let above = byId.get(span.parentId ?? '');
      above && !seen.has(above.id);
      above = byId.get(above.parentId ?? '')
    ) {
      if (isRetriever(above)) return true
      seen.add(above.id)
    }
    return false
  }
  return spans
    .filter((span) => isRetriever(span) && !isInner(span))
    .flatMap((span) => documentsOf(span).map((document) => ({ ...document, spanId: span.id })))
}
