import { setTimeout as sleep } from 'node:timers/promises'
import { span } from 'vitest-evaluate'

export interface Message {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export interface Chat {
  readonly messages: readonly Message[]
}

/** A general assistant. Its call of the model is a span, so that scorers can look at it. */
export async function sampleApp({ messages }: Chat): Promise<string> {
  const prompt: Message[] = [{ role: 'system', content: 'You are a helpful assistant.' }, ...messages]
  return span('chat', { type: 'CHAT_MODEL', inputs: { messages: prompt } }, () => complete(prompt))
}

/** Stands in for a model, so that the examples need no key and give the same figures every time. */
async function complete(messages: readonly Message[]): Promise<string> {
  await sleep(5)
  return ANSWERS[messages.at(-1)?.content ?? ''] ?? "I'm sorry, I don't know."
}

const ANSWERS: Readonly<Record<string, string>> = {
  'How much does a microwave cost?': 'Most microwaves cost between $60 and $300, depending on size and features.',
  'Can I return the microwave I bought 2 months ago?': 'Yes, you can return it, and we will give you a full refund.',
  Website: 'Thank you. Please choose "Forgot password" on the login page. Does the reset link arrive?',
  'What is 2+2?': '2+2 equals 4.',
  'Describe MLflow in one sentence.':
    'MLflow is an open-source platform that manages machine learning from the first experiment to the deployed model.',
  'Say hello.': 'Hello there!',
}
