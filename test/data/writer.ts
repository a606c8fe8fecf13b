import { ANSWERS_SCHEMA, AnswerCache, cached } from '../../src/models/cache.ts'
import { SharedFile } from '../../src/models/file.ts'
import { ask, scripted } from './model.ts'

/** A process of its own that keeps a hundred answers. */
const [path = '', nth = '0'] = process.argv.slice(2)
const cache = new AnswerCache(new SharedFile(path, ANSWERS_SCHEMA))
const model = cached(scripted(), cache)
for (let i = 0; i < 100; i++) {
  await model.generate(ask(String(Number(nth) * 100 + i)))
  if (i % 7 === 0) cache.flush()
}
cache.flush()
