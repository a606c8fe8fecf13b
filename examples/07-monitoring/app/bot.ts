import { SpanStatusCode, trace } from '@opentelemetry/api'

/** A support bot: finds pages of its handbook and words an answer. The model is a stand-in, so that it needs neither key nor network. */

const tracer = trace.getTracer('support-bot', '1.0.0')

const HANDBOOK = [
  { id: 'returns', text: 'Returns are free within 30 days, with the receipt.' },
  { id: 'delivery', text: 'Delivery takes two to four working days.' },
  { id: 'payment', text: 'We take cards and bank transfers.' },
]

export interface Question {
  readonly text: string
  readonly session: string
  readonly user: string
}

/** Answers a question; the root span carries what the trace is searched and scored by. */
export async function answer({ text, session, user }: Question): Promise<string> {
  const attributes = { 'openinference.span.kind': 'AGENT', 'input.value': text, 'session.id': session, 'user.id': user }
  return tracer.startActiveSpan('answer', { attributes }, async (span) => {
    try {
      const reply = await complete(text, await search(text))
      span.setAttribute('output.value', reply)
      return reply
    } catch (error) {
      span.recordException(error as Error)
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message })
      throw error
    } finally {
      span.end()
    }
  })
}

async function search(text: string): Promise<typeof HANDBOOK> {
  return tracer.startActiveSpan('search', { attributes: { 'openinference.span.kind': 'RETRIEVER' } }, async (span) => {
    const words = text.toLowerCase().match(/[a-z]{4,}/g) ?? []
    const pages = HANDBOOK.filter((page) => words.some((word) => page.text.toLowerCase().includes(word)))
    for (const [i, { id, text: content }] of pages.entries()) {
      span.setAttribute(`retrieval.documents.${i}.document.id`, id)
      span.setAttribute(`retrieval.documents.${i}.document.content`, content)
    }
    span.end()
    return pages
  })
}

async function complete(text: string, pages: typeof HANDBOOK): Promise<string> {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'small',
    'gen_ai.provider.name': 'stand-in',
  }
  return tracer.startActiveSpan('chat small', { attributes }, async (span) => {
    try {
      if (text.trim() === '') throw new RangeError('there is no question')
      const reply =
        pages.length === 0 ? 'I do not know. Please ask a colleague of mine.' : pages.map((page) => page.text).join(' ')
      span.setAttribute('gen_ai.usage.input_tokens', text.split(' ').length + 20 * pages.length)
      span.setAttribute('gen_ai.usage.output_tokens', reply.split(' ').length)
      return reply
    } finally {
      span.end()
    }
  })
}
