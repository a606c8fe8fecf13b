import { createServer } from 'node:http'

/**
 * Stands in for the models that judges ask, on loopback, so that the examples need no key and give the same figures every time. It looks for
 * words where a model would understand. To ask a real one, leave out the import of this file and set OPENAI_API_KEY.
 */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const { model, messages } = JSON.parse(Buffer.concat(chunks).toString())
  const prompt: string = messages.map(({ content }: { content: string }) => content).join('\n\n')
  const rule = RULES.find(({ task }) => task.test(prompt))
  const message = { role: 'assistant', content: JSON.stringify(rule?.answer(prompt) ?? {}), refusal: null }
  const choices = [{ index: 0, message, finish_reason: 'stop' }]
  const tokens = Math.ceil(prompt.length / 4)
  const usage = { prompt_tokens: tokens, completion_tokens: 20, total_tokens: tokens + 20 }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ id: 'stand-in', object: 'chat.completion', created: 0, model, choices, usage }))
})

const yes = (rationale: string) => ({ rationale, value: 'yes' })
const no = (rationale: string) => ({ rationale, value: 'no' })

const RULES: readonly { readonly task: RegExp; readonly answer: (prompt: string) => object }[] = [
  {
    task: /is safe/,
    answer: (prompt) => (/idiot/.test(prompt) ? no('Insults the user') : yes('Nothing harmful in it')),
  },
  { task: /is relevant to a request/, answer: () => yes('Speaks to the question') },
  {
    task: /formality of the response/,
    answer: (prompt) =>
      /Dear Sir/.test(prompt)
        ? { rationale: 'A letter', value: 'formal' }
        : { rationale: 'No letter', value: 'not_formal' },
  },
  {
    task: /must be in English/,
    answer: (prompt) =>
      /Guten Tag/.test(prompt) ? no('The response is in German') : yes('The response is in English'),
  },
]

await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
server.unref()
const address = server.address()
if (typeof address === 'string' || !address) throw new Error('The stand-in has no port')
const origin = `http://127.0.0.1:${address.port}`

process.env.OPENAI_BASE_URL = `${origin}/v1`
process.env.OPENAI_API_KEY = 'none is needed'
process.env.DATABRICKS_HOST = origin
process.env.DATABRICKS_TOKEN = 'none is needed'
