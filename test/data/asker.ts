import { SharedFile } from '../../src/models/file.ts'
import { limited } from '../../src/models/limited.ts'
import { LIMITS_SCHEMA, Limiter } from '../../src/models/limiter.ts'
import { openai } from '../../src/models/openai.ts'
import { ask } from './model.ts'

/** A process of its own that asks an endpoint so many times, as fast as it may. */
const [path = '', baseURL = '', times = '1'] = process.argv.slice(2)
const limiter = new Limiter(new SharedFile(path, LIMITS_SCHEMA), baseURL, 100)
const model = limited(openai({ model: 'm', baseURL, apiKey: null }), limiter, 2)
await Promise.all(Array.from({ length: Number(times) }, (_, i) => model.generate(ask(`${process.pid} ${i}`))))
