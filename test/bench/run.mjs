// Measures whole commands. Figures of one machine mean little; the ratios, taken in one session, are what counts.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { storm, waiting } from './models.mjs'
import { monitorBench } from './monitor.mjs'
import { measure, prepare, vitest } from './project.mjs'
import { receiverBench } from './receiver.mjs'
import { searchBench } from './search.mjs'

const BENCHES = {
  rows: rowsBench,
  search: async () => {
    await searchBench(100_000)
    if (process.env.BENCH_MILLION !== '0') await searchBench(1_000_000)
  },
  models: async () => {
    for (const retryAfter of ['seconds', 'ms']) await storm({ retryAfter })
    await waiting()
  },
  receiver: receiverBench,
  monitor: monitorBench,
}

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const rows = Number(process.env.BENCH_ROWS ?? 100_000)

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const peak = (runs) => Math.round(Math.max(...runs.map(({ peakMb }) => peakMb)))
const ms = (runs) => Math.round(median(runs.map((run) => run.ms)))
/** Runs the commands in turn, round after round, so that a slow spell of the machine falls on all of them. */
async function inTurn(folder, commands, times = rounds) {
  const results = commands.map(() => [])
  for (let round = 0; round < times; round++) {
    for (const [i, { args, env, before, peak }] of commands.entries()) {
      before?.()
      results[i].push(await measure(folder, args, env, { peak }))
    }
  }
  return results
}

/** Evaluations of rows, through Vitest. */
async function rowsBench() {
  const folder = prepare(rows)
  const forget = () => rmSync(join(folder, '.vitest'), { recursive: true, force: true })
  try {
    const [ours, bare, raw] = await inTurn(folder, [
      { args: [vitest, 'run', 'ours.eval.js'], before: forget },
      { args: [vitest, 'run', 'bare.test.js'], env: { PLAIN: '1' } },
      { args: ['raw.js'] },
    ])
    console.log(
      `\n${rows.toLocaleString('en-US')} rows, async predict, 3 scorers, through vitest run (medians of ${rounds})`,
    )
    console.log(
      `  evaluated and kept        ${ms(ours)} ms   ${Math.round((rows / ms(ours)) * 1_000).toLocaleString('en-US')} rows/s   peak ${peak(ours)} MB (at most 350)`,
    )
    console.log(`  same loop, nothing kept   ${ms(bare)} ms   peak ${peak(bare)} MB`)
    console.log(`  raw inserts of the same   ${ms(raw)} ms   peak ${peak(raw)} MB`)
    console.log(`  ratio to loop + inserts   ${(ms(ours) / (ms(bare) + ms(raw))).toFixed(2)} (at most 1.5)`)

    const [plain, spans, otel] = await inTurn(
      folder,
      ['ours', 'spans', 'otel'].map((name) => ({ args: [vitest, 'run', `${name}.eval.js`], before: forget })),
    )
    const times = (runs) => `${(ms(runs) / ms(plain)).toFixed(2)} × (at most 2)`
    console.log(`\nthe same with two spans of the app's own in every row: ${ms(plain)} ms without`)
    console.log(`  through span()            ${ms(spans)} ms   ${times(spans)}   peak ${peak(spans)} MB`)
    console.log(`  through OpenTelemetry     ${ms(otel)} ms   ${times(otel)}   peak ${peak(otel)} MB`)

    const [reopened] = await inTurn(folder, [{ args: ['reopen.js'] }])
    console.log(
      `\nreopen that run and search its failures: ${ms(reopened)} ms with the process start (at most 2000), ${reopened[0].text.trim()} found`,
    )

    // Half a second each, of which a tenth is the machine's mood: many turns.
    const [small, tests, bareSmall] = await inTurn(
      folder,
      [
        { args: [vitest, 'run', 'ours-small.eval.js'], before: forget, peak: false },
        { args: [vitest, 'run', 'bare-small.test.js'], peak: false },
        { args: [vitest, 'run', 'bare-small.test.js'], env: { PLAIN: '1' }, peak: false },
      ],
      5 * rounds,
    )
    console.log(
      `\n10 rows: ${ms(small)} ms, without the plugin ${ms(bareSmall)} ms, difference ${ms(small) - ms(bareSmall)} ms (at most 150)`,
    )
    console.log(`  the plugin over a test that evaluates nothing: ${ms(tests) - ms(bareSmall)} ms`)

    const [scheduled] = await inTurn(folder, [{ args: [vitest, 'run', 'waiting.eval.js'], before: forget }])
    const waited = median(scheduled.map(({ text }) => Number(/waited ([\d.]+)/.exec(text)?.[1])))
    console.log(
      `\n2,000 rows × 50 ms predict and 50 ms scorers, 50 at once: ${Math.round(waited)} ms, ${(waited / 4_000).toFixed(3)} of the ideal schedule (at most 1.05)`,
    )

    if (process.env.BENCH_MILLION !== '0') {
      forget()
      const million = await measure(folder, [vitest, 'run', 'million.eval.js'])
      console.log(
        `\n1,000,000 rows from a generator: ${(million.ms / 1_000).toFixed(1)} s, peak ${Math.round(million.peakMb)} MB (at most 400)`,
      )
    }

    const [imports] = await inTurn(folder, [{ args: ['import.js'] }])
    console.log(
      `\nimport of vitest-evaluate, cold: ${Math.round(median(imports.map(({ text }) => Number(text))))} ms (at most 120)`,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// `npm run bench -- search` measures searches only.
const [, , only] = process.argv
if (only !== undefined && !Object.hasOwn(BENCHES, only)) {
  throw new RangeError(`There is no benchmark "${only}": ${Object.keys(BENCHES).join(', ')}`)
}
for (const [name, bench] of Object.entries(BENCHES)) if (only === undefined || only === name) await bench()
