import type { Row } from 'vitest-evaluate'
import type { Chat } from './app.ts'

/** Three conversations, as they come in. */
export const evalDataset: Row<Chat>[] = [
  { inputs: { messages: [{ role: 'user', content: 'How much does a microwave cost?' }] } },
  { inputs: { messages: [{ role: 'user', content: 'Can I return the microwave I bought 2 months ago?' }] } },
  {
    inputs: {
      messages: [
        { role: 'user', content: "I'm having trouble with my account.  I can't log in." },
        {
          role: 'assistant',
          content:
            "I'm sorry to hear that you're having trouble with your account.  Are you using our website or mobile app?",
        },
        { role: 'user', content: 'Website' },
      ],
    },
  },
]

/** Three questions with what is expected of their answers. */
export const expectationsDataset: Row<Chat>[] = [
  {
    inputs: { messages: [{ role: 'user', content: 'What is 2+2?' }] },
    expectations: { expected_response: '2+2 equals 4.', expected_keywords: ['4', 'four', 'equals'] },
  },
  {
    inputs: { messages: [{ role: 'user', content: 'Describe MLflow in one sentence.' }] },
    expectations: {
      expected_response:
        'MLflow is an open-source platform to streamline machine learning development, including tracking experiments, ' +
        'packaging code into reproducible runs, and sharing and deploying models.',
      expected_keywords: ['mlflow', 'open-source', 'platform', 'machine learning'],
    },
  },
  {
    inputs: { messages: [{ role: 'user', content: 'Say hello.' }] },
    // Keywords may be left out where none are expected.
    expectations: { expected_response: 'Hello there!' },
  },
]
