import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A model that needs no key: it answers with the first page that it is given, and asks for a tool where a question is about an order. */

interface Message {
  readonly role: string
  readonly content: string
}

const server = createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  const { model, messages } = JSON.parse(text) as { model: string; messages: Message[] }
  const said = messages.map(({ content }) => content).join(' ')
  const order = /order (\d+)/i.exec(said)
  const asks = order && !messages.some(({ role }) => role === 'tool')
  const call = {
    id: 'call_1',
    type: 'function',
    function: { name: 'order_status', arguments: JSON.stringify({ order: order?.[1] }) },
  }
  const [, page] = /Handbook: ([^\n]+)/.exec(said) ?? []
  const shipped = order ? `Order ${order[1]} is on its way.` : 'Please write to our staff.'
  const message = asks
    ? { role: 'assistant', content: null, tool_calls: [call] }
    : { role: 'assistant', content: page ?? shipped }
  const usage = {
    prompt_tokens: Math.ceil(said.length / 4),
    completion_tokens: 10,
    total_tokens: Math.ceil(said.length / 4) + 10,
  }
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 0,
      model,
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage,
    }),
  )
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
server.unref()

export const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
