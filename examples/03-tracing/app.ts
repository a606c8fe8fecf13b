import OpenAI from 'openai'
import { span } from 'vitest-evaluate'
import { traceOpenAI } from 'vitest-evaluate/otel'
import { search } from './library.ts'
import { baseURL } from './model.ts'

/** Every call of this client within a row becomes a span; it is the same client otherwise. */
const openai = traceOpenAI(new OpenAI({ apiKey: 'none', baseURL }))

export interface Question {
  readonly question: string
}

async function orderStatus(order: string): Promise<string> {
  return span('order_status', { type: 'TOOL', inputs: { order } }, () => `Order ${order} is on its way.`)
}

/** Answers from the handbook; looks orders up where the model asks for it. */
export async function helpDesk({ question }: Question): Promise<string> {
  const pages = await search(question)
  const handbook = pages.map(({ text }) => `Handbook: ${text}`).join('\n')
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: handbook },
    { role: 'user', content: question },
  ]
  const first = await openai.chat.completions.create({ model: 'small', messages })
  const [call] = first.choices[0]?.message.tool_calls ?? []
  if (call?.type !== 'function') return first.choices[0]?.message.content ?? ''
  const { order } = JSON.parse(call.function.arguments)
  const status = await orderStatus(order)
  messages.push({ role: 'tool', tool_call_id: call.id, content: status })
  const second = await openai.chat.completions.create({ model: 'small', messages })
  return second.choices[0]?.message.content ?? ''
}
