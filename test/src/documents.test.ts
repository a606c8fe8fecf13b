import { expect, test } from 'vitest'
import { documentsOf } from '../../src/documents.ts'
import type { Span } from '../../src/span.ts'

const span = (outputs: unknown, more: Partial<Span> = {}): Span => ({
  id: '00f067aa0ba902b7',
  name: 'search',
  type: 'RETRIEVER',
  startTimeNs: 0n,
  status: 'OK',
  attributes: {},
  events: [],
  ...(outputs !== undefined && { outputs }),
  ...more,
})

test.each<[string, unknown]>([
  ['MLflow', [{ page_content: 'a', metadata: { doc_uri: 'x.md' } }, { page_content: 'b' }]],
  ['LangChain.js', [{ pageContent: 'a', metadata: {} }, { pageContent: 'b' }]],
  ['texts', ['a', 'b']],
  [
    'documents with scores',
    [
      [{ pageContent: 'a' }, 0.9],
      [{ pageContent: 'b' }, 0.1],
    ],
  ],
  ['a search service', { results: [{ content: 'a', url: 'u' }, { snippet: 'b' }] }],
  [
    'a vector database with metadata',
    { matches: [{ id: 1, score: 0.5, metadata: { text: 'a' } }, { metadata: { text: 'b' } }] },
  ],
  ['a vector database with a payload', [{ payload: { text: 'a' } }, { payload: { chunk: 'b' } }]],
  ['several queries at once', { documents: [['a'], ['b']] }],
  ['a node', { source_nodes: [{ node: { text: 'a' }, score: 1 }, { node: { text: 'b' } }] }],
  ['Elasticsearch', { hits: { total: 2, hits: [{ _source: { body: 'a' } }, { _source: { body: 'b' } }] } }],
  ['JSON', '[{"page_content":"a"},{"page_content":"b"}]'],
  ['parts', [{ content: [{ type: 'text', text: 'a' }] }, { content: ['b'] }]],
])('documentsOf() reads the form of %s', (_, outputs) => {
  expect(documentsOf(span(outputs)).map(({ content }) => content)).toEqual(['a', 'b'])
})

test('documentsOf() gives id, place, score and metadata', () => {
  const metadata = { doc_uri: 'x.md', page: 2 }
  expect(documentsOf(span([{ page_content: 'a', id: 7, score: 0.5, metadata }]))).toEqual([
    { content: 'a', id: '7', score: 0.5, uri: 'x.md', metadata },
  ])
})

test("documentsOf() reads OpenInference's attributes", () => {
  const attributes = {
    'retrieval.documents.0.document.content': 'a',
    'retrieval.documents.0.document.id': 'd1',
    'retrieval.documents.0.document.score': 0.25,
    'retrieval.documents.0.document.metadata': '{"lang":"en"}',
    'output.value': 'something else',
  }
  expect(documentsOf(span(undefined, { attributes }))).toEqual([
    { content: 'a', id: 'd1', score: 0.25, metadata: { lang: 'en' } },
  ])
})

test('documentsOf() gives none where none was found, or the retriever failed', () => {
  expect([documentsOf(span([])), documentsOf(span(null)), documentsOf(span({ results: [] }))]).toEqual([[], [], []])
  expect(documentsOf(span(undefined, { status: 'ERROR' }))).toEqual([])
})

test.each<[string, unknown, string]>([
  ['fields of other names', [{ page_content: 'a' }, { inhalt: 'b' }], 'document 2 is an object with inhalt'],
  ['a number', 5, 'expected a list of documents, found 5'],
  ['no outputs', undefined, 'expected a list of documents, found undefined'],
  ['an object without a list', { count: 3 }, 'expected a list of documents, found an object with count'],
])('documentsOf() refuses %s, and names the span', (_, outputs, problem) => {
  expect(() => documentsOf(span(outputs))).toThrow(
    `Cannot read the documents of span "search" (00f067aa0ba902b7): ${problem}`,
  )
})
