// Seeded simulations of gates: node test/bench/gates.ts
import { margin } from '../../src/gates/index.ts'
import { clopperPearson } from '../../src/std/proportion.ts'
import { coverage, METHODS } from './coverage.ts'
import { METRICS, printedDetectable, stopped, verdictsOf } from './simulate.ts'

const TIMES = 2_000
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

const MARGINS: Record<string, number> = { length: 0.3 }

console.log(
  `${TIMES.toLocaleString('en-US')} neutral pull requests of 300 rows: how often each margin gate fails (at most 5 %, its upper bound at most 6 %)`,
)
for (const [i, [name, metric]] of Object.entries(METRICS).entries()) {
  const gate = margin('metric', MARGINS[name] ?? 0.02)
  const { pass, fail, inconclusive } = verdictsOf(gate, metric, { seed: 100 + i, rows: 300, drop: 0, times: TIMES })
  const { high } = clopperPearson(fail, TIMES)
  console.log(
    `  ${name.padEnd(14)} fail ${percent(fail / TIMES)} (upper bound ${percent(high)})  pass ${percent(pass / TIMES)}  inconclusive ${percent(inconclusive / TIMES)}`,
  )
}

console.log(
  `\n${TIMES.toLocaleString('en-US')} regressions by the effect that neutral runs print as detectable: how often the gate fails (at least 78 %)`,
)
for (const [i, [name, metric]] of Object.entries(METRICS).entries()) {
  const gate = margin('metric', MARGINS[name] ?? 0.02)
  const drop = printedDetectable(gate, metric, { seed: 200 + i, rows: 300, times: 200 })
  const { fail } = verdictsOf(gate, metric, { seed: 300 + i, rows: 300, drop, times: TIMES })
  console.log(`  ${name.padEnd(14)} detectable ${drop.toFixed(4)}  fail ${percent(fail / TIMES)}`)
}

const design = { good: 0.9, bad: 0.8, alpha: 0.05, beta: 0.05 }
const FIXED = 133
console.log(`\nearly stop of 0.9 against 0.8, beside ${FIXED} rows of the fixed design (at most 60 %)`)
for (const rate of [0.9, 0.8, 0.5]) {
  const { rows, good, bad } = stopped(design, rate, { seed: 400, times: 20_000 })
  console.log(
    `  rate ${rate}: ${rows.toFixed(1)} rows (${percent(rows / FIXED)})  called good ${percent(good)}, bad ${percent(bad)}`,
  )
}

console.log(`\ncoverage of nominal 95 %   ${Object.keys(METHODS).join('  ')}`)
for (const [n, rate] of [
  [10, 0.9],
  [20, 0.95],
  [30, 0.95],
  [50, 0.95],
  [100, 0.98],
  [300, 0.95],
] as const) {
  const shares = Object.entries(METHODS).map(([name, method]) =>
    coverage(method, n, rate).toFixed(4).padStart(name.length),
  )
  console.log(`  ${n} rows, rate ${rate}`.padEnd(26) + shares.join('  '))
}
