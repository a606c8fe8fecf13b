import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach } from 'vitest'
import { importTraces, setExperiment } from 'vitest-evaluate'

/** Stands in for production, and gives every test a store of its own. A project needs neither: its app sends traces to `vitest-evaluate monitor`. */

export const EXPERIMENT = 'lakehouse-assistant'

beforeEach(() => {
  process.env.VITEST_EVALUATE_STORE = join(mkdtempSync(join(tmpdir(), 'production-')), 'store.sqlite')
  setExperiment(EXPERIMENT)
})

interface Answered {
  readonly query: string
  readonly response: string
}

export const ANSWERS: readonly Answered[] = [
  {
    query: 'what is a lakehouse',
    response:
      'A lakehouse is what Databricks calls one place for files and tables: the openness of a data lake with the order of a warehouse.',
  },
  { query: 'is it open', response: 'Yes, it is.' },
  { query: 'wer bist du', response: 'Guten Tag, ich bin der Assistent.' },
  { query: 'write to the bank', response: 'Dear Sir or Madam, I am writing to you about my account.' },
]

let spansMade = 0

/** Gives ids that are the same in every run, and so are the samples. */
function nextId(): string {
  spansMade++
  return createHash('sha256').update(`span ${spansMade}`).digest('hex')
}

/** Brings traces into the store as an app with OpenTelemetry writes them, one after the other from a time on. */
export async function produce(answers: readonly Answered[] = ANSWERS, from = new Date()): Promise<void> {
  const spans = answers.map(({ query, response }, i) => {
    const start = BigInt(from.getTime() + i * 1_000) * 1_000_000n
    const id = nextId()
    return {
      traceId: id.slice(0, 32),
      spanId: id.slice(-16),
      name: 'answer',
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + 500_000_000n),
      attributes: [
        attribute('mlflow.spanInputs', JSON.stringify({ query })),
        attribute('mlflow.spanOutputs', JSON.stringify({ response })),
      ],
      status: { code: 1 },
    }
  })
  const file = join(mkdtempSync(join(tmpdir(), 'traces-')), 'traces.json')
  writeFileSync(file, JSON.stringify({ resourceSpans: [{ scopeSpans: [{ scope: { name: 'app' }, spans }] }] }))
  await importTraces(file)
}

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
