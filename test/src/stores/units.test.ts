import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { scorer } from '../../../src/scorer.ts'
import { nowMs } from '../../../src/std/async.ts'
import { productionStore, storeFile, watch } from '../../data/watched.ts'

const DONE = 400_000
const FILL = `WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < ${DONE})
  INSERT INTO units SELECT ?, -value, 2, 1, NULL, NULL, 0, 0, NULL, NULL, NULL FROM s`

test('who looks for work, and keeps it, does not pass through what is done', async () => {
  const path = storeFile()
  const store = productionStore(path)
  const [registration] = await watch(store, [scorer('length', () => 1)])
  const { key } = registration as { key: number }
  const before = await cost()
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  db.prepare(FILL).run(key)
  db.close()
  // To pass through them in each of these steps takes a second and more.
  expect(await cost()).toBeLessThan(10 * before + 300)

  async function cost(): Promise<number> {
    const began = performance.now()
    for (let i = 0; i < 40; i++) {
      const lease = { owner: 'me', nowMs: nowMs(), untilMs: nowMs() + 60_000 }
      await store.claimDue([key], lease, 10)
      await store.renew(lease)
      await store.release('me')
    }
    return performance.now() - began
  }
})
