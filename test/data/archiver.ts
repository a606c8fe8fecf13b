import { archiveTraces } from '../../src/archiving.ts'
import { openStore } from '../../src/place.ts'

/** Archives until it is told to end, or is killed: `node archiver.ts <store>`. */

const [store = ''] = process.argv.slice(2)
process.on('SIGTERM', () => process.exit(0))
console.log('ready')
for (;;) {
  await archiveTraces({ store }).catch((fault: unknown) => console.error(String(fault)))
  await new Promise((resolve) => setTimeout(resolve, 1))
  if (process.argv.includes('once')) break
}
await openStore(store).close()
