import { samplePoint } from '../../dist/src/sampling.js'

/** What monitoring takes apart from scoring. Run after `npm run build`: `node test/bench/monitor.mjs`. */

const COUNT = 1_000_000

function decisionsPerSecond() {
  const started = performance.now()
  let taken = 0
  for (let i = 0; i < COUNT; i++) if (samplePoint(`tr-${i.toString(16).padStart(32, '0')}`) < 0.1) taken++
  return { taken, rate: COUNT / ((performance.now() - started) / 1e3) }
}

decisionsPerSecond()
const { taken, rate } = decisionsPerSecond()
console.log(`sampling  ${Math.round(rate).toLocaleString('en')} decisions/s  (${taken} of ${COUNT} at rate 0.1)`)
