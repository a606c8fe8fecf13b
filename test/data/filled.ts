import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { evaluate, feedback, type Run, scorer, span } from '../../src/index.ts'
import { openStore } from '../../src/place.ts'
import { folder } from './evaluation.ts'

/** A store file with a run, and a second one that evaluated its failures again. */
export interface Filled {
  readonly path: string
  readonly first: Run
  readonly second: Run
}

const QUESTIONS = [
  'What is a span?',
  'What is a trace?',
  'Who are you?\n\u001b[31mred\u001b[0m',
  'Is it down?',
  'What is a row?',
]

export async function filled(): Promise<Filled> {
  const path = join(folder(), 'store.sqlite')
  onTestFinished(() => openStore(path, undefined).close())
  const rows = QUESTIONS.map((q, i) => ({
    inputs: { q },
    expectations: { length: q.length },
    tags: { part: i < 2 ? 'a' : 'b' },
  }))
  const correct = scorer('correct', ({ outputs, expectations }) =>
    feedback({ value: outputs.length === expectations.length, rationale: `${outputs.length} characters` }),
  )
  const shaky = scorer('shaky', ({ inputs }) => {
    if (inputs.q.includes('row')) throw new Error('judge is down')
    return 0.5
  })
  const answer =
    (loud: boolean) =>
    async ({ q }: { q: string }) => {
      const found = await span('look up', { type: 'RETRIEVER', inputs: q }, () => [q])
      if (q.includes('down')) throw new Error('the backend is down')
      return loud ? (found[0] as string).toUpperCase() : (found[0] as string).slice(0, 15)
    }
  const options = { store: path, tags: { branch: 'main' } }
  const first = await evaluate(rows, answer(false), [correct, shaky], {
    ...options,
    name: 'bot',
    allowFailed: true,
    minScored: 0,
  })
  const failures = first.search("feedback.correct = false OR status = 'ERROR'")
  const second = await evaluate(failures, answer(true), [correct], { ...options, name: 'bot again' })
  return { path, first, second }
}
