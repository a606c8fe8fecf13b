import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { sqlite } from '../../../src/stores/sqlite.ts'
import { folder } from '../../data/evaluation.ts'
import { produce } from '../../data/production.ts'

test('scores() never gives a value that is not as it was written', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  await produce(store, { experiment: 'shop', n: 2, said: () => [{ scorer: 'safe', value: 0.5 }] })
  await store.close()
  const db = new DatabaseSync(path)
  db.exec('UPDATE assessments SET num = 0.75 WHERE trace = 2')
  db.close()
  const read = store.scores({ experiment: 'shop', scorers: ['safe'], limit: 10 })
  await expect(read).rejects.toMatchObject({ code: 'STORE_NOT_READABLE' })
  await store.close()
})
