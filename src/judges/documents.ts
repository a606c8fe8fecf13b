import { documentsOf, type RetrievedDocument } from '../documents.ts'
import { messageOf } from '../errors.ts'
import type { Span, Trace } from '../trace.ts'
import { indented } from './block.ts'
import { Unjudged } from './fields.ts'

/** What retrievers found, as judges read it. */

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
  return byTime(spans.filter((span) => !within(span))).map((span) => ({ span, documents: read(span) }))
}

/** Gives spans by start time. */
export function byTime(spans: readonly Span[]): Span[] {
  return [...spans].sort((a, b) => (a.startTimeNs < b.startTimeNs ? -1 : a.startTimeNs > b.startTimeNs ? 1 : 0))
}

function read(span: Span): readonly RetrievedDocument[] {
  try {
    return documentsOf(span)
  } catch (error) {
    throw new Unjudged('DOCUMENTS_UNREADABLE', messageOf(error))
  }
}

/** Gives documents as a judge reads them; every line of theirs is indented, so that none can pretend to be another. */
export function documentsText(retrievals: readonly Retrieval[]): string {
  const several = retrievals.length > 1
  let number = 0
  const texts = retrievals.flatMap(({ span, documents }, i) => [
    ...(several ? [`Retrieval ${i + 1} (${span.name}): ${documents.length} found`] : []),
    ...documents.map((document) => `Document ${++number}${placeText(document)}:\n${indented(document.content)}`),
  ])
  return texts.length === 0 ? '(nothing was found)' : texts.join('\n\n')
}

/** Gives where a document is from, in parentheses. */
function placeText({ uri }: RetrievedDocument): string {
  return uri === undefined ? '' : ` (${uri.replace(/\s+/g, ' ')})`
}
