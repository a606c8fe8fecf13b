import { outage } from '../data/outage.ts'
import { ROOT } from '../floors.ts'

/** A million traces, an outage of seven days, three filters, late arrivals, wrong clocks, 50 SIGKILLs. Run after `npm run build`. */

const traces = Number(process.env.BENCH_TRACES ?? 1_000_000)
const kills = Number(process.env.BENCH_KILLS ?? 50)
const report = await outage({ root: ROOT, traces, kills, onProgress: (text) => console.log(text) })
console.log(`\n${traces.toLocaleString('en')} traces, ${report.kills} SIGKILLs of the monitor, ${report.seconds} s`)
console.log(`  due        ${report.due.toLocaleString('en')}`)
console.log(`  missed     ${report.missed} (at most 0)`)
console.log(`  doubled    ${report.doubled} (at most 0)`)
console.log(`  uncalled   ${report.uncalled} (at most 0)`)
console.log(`  wrong      ${report.wrong} (at most 0)`)
