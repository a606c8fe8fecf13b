import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A model that needs no key: it quotes what a tool or the handbook gives, and asks for the tool where a question is about an order. */

interface Message {
  readonly role: string
  readonly content: string
}

const server = createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  const { model, messages } = JSON.parse(text) as { model: string; messages: Message[] }
  const said = messages.map(({ content }) => content).join(' ')
  const tool = messages.find(({ role }) => role === 'tool')?.content
  const order = /order (\d+)/i.exec(said)?.[1]
  const page = /Handbook: ([^\n]+?\.)/.exec(said)?.[1]
  const call = {
    id: 'call_1',
    type: 'function',
    function: { name: 'order_status', arguments: JSON.stringify({ order }) },
  }
  const message =
    order && !tool
      ? { role: 'assistant', content: null, tool_calls: [call] }
      : { role: 'assistant', content: tool ?? page ?? 'Please write to our staff.' }
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
