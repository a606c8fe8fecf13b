import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { customPromptJudge } from '../../src/judges/index.ts'
import { openai } from '../../src/models/index.ts'
import { scorer } from '../../src/scorer.ts'
import { memory } from '../../src/stores/memory.ts'
import { evaluate } from '../../src/workspace.ts'
import { endpoint } from '../data/endpoint.ts'

// What gpt-4o said of the answers of two models (Lin et al. 2024, WildBench): its whole answer for the first 200, and its scores of all.
const DATA = new URL('../../../shared/data/judge-scores/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, DATA), 'utf8')
const lines = (name: string): any[] =>
  read(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

const SCORES = Array.from({ length: 10 }, (_, i) => String(i + 1))

test.skipIf(!existsSync(DATA)).each(['gpt-3.5-turbo-0125', 'gemma-2b-it'])(
  'recorded answers about %s give the recorded scores, row by row, and exactly their mean',
  async (model) => {
    const answers = lines(`${model}.answers.jsonl`)
    const scores = new Map(lines(`${model}.scores.jsonl`).map(({ session_id, score }) => [session_id, Number(score)]))
    // The prompt as it was; its places become variables, its scores become categories.
    const promptTemplate = `${read('judge-prompt.md').replace(/\{\$(\w+)\}/g, '{{ $1 }}')}\n${SCORES.map((score) => `[[${score}]]`).join(' ')}`
    const byId = new Map(answers.map(({ session_id, judge_answer }) => [session_id, judge_answer]))
    await using server = await endpoint(({ messages }) => {
      const id = /session ([0-9a-f]+)/.exec(messages.at(-1)?.content)?.[1]
      return { json: byId.get(id) }
    })
    const judge = customPromptJudge({
      name: 'wildbench',
      promptTemplate,
      numericValues: Object.fromEntries(SCORES.map((score) => [score, Number(score)])),
      answerFields: { rationale: ['strengths', 'weaknesses'], value: 'score' },
      model: openai({ model: 'gpt-4o-2024-05-13', baseURL: server.url, apiKey: 'test' }),
    })
    const wildbench = scorer('wildbench', ({ inputs }) =>
      judge({ history: '', checklist: '', user_query: inputs, model_output: 'left out' }),
    )
    const rows = answers.map(({ session_id }) => ({ id: session_id, inputs: `session ${session_id}`, outputs: '' }))
    const run = await evaluate(rows, [wildbench], { store: memory(), cache: false })

    const wanted = answers.map(({ session_id }) => scores.get(session_id) as number)
    expect(wanted).toHaveLength(200)
    expect(run.columns.wildbench).toMatchObject({ kind: 'number', scored: 200, missing: 0, errors: 0 })
    const found = await Array.fromAsync(run.rows(), ({ feedback }) => feedback.wildbench)
    expect(found.map((one) => one?.value)).toEqual(wanted)
    expect(run.metrics['wildbench/mean']).toBe(wanted.reduce((a, b) => a + b) / 200)
    expect(found[0]?.rationale).toBe(
      `strengths: ${answers[0].judge_answer.strengths.trim()}\nweaknesses: ${answers[0].judge_answer.weaknesses.trim()}`,
    )
    expect(server.journal).toHaveLength(200)
  },
)
