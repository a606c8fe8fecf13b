// Seeded simulations of drift, and the time that a report takes: node test/bench/drift.ts
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quality } from '../../src/quality.ts'
import { clopperPearson } from '../../src/std/proportion.ts'
import { seeded } from '../../src/std/random.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { produce, register, START } from '../data/production.ts'
import { falseAlarms, medianDelay, STREAMS } from './streams.ts'

const TIMES = Number(process.env.BENCH_TIMES ?? 1_000)
const LOOKS = 10_000
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

console.log(
  `${TIMES.toLocaleString('en-US')} unchanged streams after 1,000 reference values, ${LOOKS.toLocaleString('en-US')} looks each: false alarms (at most 5 %)`,
)
for (const [i, [name, { before }]] of Object.entries(STREAMS).entries()) {
  const alarms = falseAlarms(before, LOOKS, { seed: 500 + i, times: TIMES })
  const { low, high } = clopperPearson(alarms, TIMES)
  console.log(`  ${name.padEnd(14)} ${percent(alarms / TIMES)}  (95 %: ${percent(low)} to ${percent(high)})`)
}

console.log('\nvalues until a change is found, median, by when it begins (0.9 to 0.8 at once: at most 300)')
for (const [i, [name, { before, after, what }]] of Object.entries(STREAMS).entries()) {
  const delays = [0, 1_000, 9_000].map((unchanged) =>
    medianDelay(before, after, unchanged, { seed: 600 + i, times: Math.min(300, TIMES) }).toLocaleString('en-US'),
  )
  console.log(
    `  ${name.padEnd(14)} ${what.padEnd(20)} at once ${delays[0]}, after 1,000 ${delays[1]}, after 9,000 ${delays[2]}`,
  )
}

const TRACES = 100_000
const folder = mkdtempSync(join(tmpdir(), 'drift-'))
const store = sqlite(join(folder, 'store.sqlite'))
const next = seeded(1)
for (const name of ['safe', 'grounded', 'score']) await register(store, 'shop', name)
await produce(store, {
  experiment: 'shop',
  n: TRACES,
  everyMs: 6_048,
  said: () => [
    { scorer: 'safe', value: next() < 0.9 ? 'yes' : 'no', source: { type: 'LLM_JUDGE', id: 'openai:/judge' } },
    { scorer: 'grounded', value: next() < 0.9 },
    { scorer: 'score', value: next() },
  ],
})
const started = performance.now()
const before = process.cpuUsage()
await quality(store, { experiment: 'shop', fromMs: START, toMs: START + 7 * 86_400_000 })
const seconds = (performance.now() - started) / 1_000
const { user, system } = process.cpuUsage(before)
console.log(
  `\na report of ${TRACES.toLocaleString('en-US')} traces with 3 columns: ${seconds.toFixed(2)} s, ${((user + system) / 1e6).toFixed(2)} s of processor`,
)
await store.close()
rmSync(folder, { recursive: true })
