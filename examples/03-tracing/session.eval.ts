import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { helpDesk } from './app.ts'

/** Rows of one `sessionId` are the turns of one conversation. */
const turns = [
  { sessionId: 'anna', inputs: { question: 'Where is order 4711?' }, expectations: { topic: 'order' } },
  { sessionId: 'anna', inputs: { question: 'And when will the parcels come?' } },
  { sessionId: 'ben', inputs: { question: 'Do you sell gift cards?' }, expectations: { topic: 'gift' } },
  { sessionId: 'ben', inputs: { question: 'Really none?' } },
]

/** Asked once for each conversation, when all of its turns are there. */
const helped = scorer({ name: 'helped', level: 'session' }, ({ session, expectations }) => {
  const answers = session.map(({ outputs }) => String(outputs))
  const given = answers.filter((answer) => !answer.startsWith('Please write'))
  return feedback({
    value: given.length > 0,
    rationale: `${given.length} of ${session.length} questions about "${expectations.topic}" were answered`,
  })
})

const polite = scorer('polite', ({ outputs }) => !/no idea/i.test(outputs))

test('conversations', async ({ evaluate }) => {
  const run = await evaluate(turns, helpDesk, [polite, helped])

  expect(run.columns.polite).toMatchObject({ rows: 4, passed: 4 })
  expect(run.columns.helped).toMatchObject({ level: 'session', rows: 2, scored: 2, passed: 1 })
  const rows = await Array.fromAsync(run.rows())
  expect(rows.map(({ feedback }) => feedback.helped?.rationale)).toEqual([
    '2 of 2 questions about "order" were answered',
    undefined,
    '0 of 2 questions about "gift" were answered',
    undefined,
  ])
})
