import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { folder } from '../data/evaluation.ts'
import { ROOT } from '../e2e/project.ts'

/** In a process of its own: here the models are known already. */
function evaluated(late?: string): unknown {
  const place = folder()
  const dist = (name: string) => pathToFileURL(join(ROOT, 'dist', 'src', name)).href
  writeFileSync(
    join(place, 'app.mjs'),
    `import { evaluate, scorer } from '${dist('index.js')}'
import { memory } from '${dist('stores/index.js')}'
import { currentModels } from '${dist('model.js')}'
const asks = scorer('asks', async () => {
  ${late ? `await import('${dist(late)}')` : ''}
  return (await currentModels().resolve(() => 'yes').generate({ messages: [] })).text
})
const run = await evaluate([{ inputs: 1 }, { inputs: 2 }], () => 'x', [asks], { store: memory(), budget: { calls: 1 } })
const rows = await Array.fromAsync(run.rows())
console.log(JSON.stringify(rows.map(({ feedback }) => feedback.asks.error?.message ?? feedback.asks.value)))
`,
  )
  return JSON.parse(execFileSync(process.execPath, ['app.mjs'], { cwd: place, encoding: 'utf8' }))
}

test('evaluate() knows no models until something that does is imported, and says so to whoever asks one', () => {
  const error = expect.stringContaining('Cannot ask a model: there are no models in force')
  expect(evaluated()).toEqual([error, error])
})

test('evaluate() keeps its budget also where a scorer imports what asks models only when it is called', () => {
  expect(evaluated('judges/index.js')).toEqual(['yes', expect.stringMatching(/budget/i)])
})
