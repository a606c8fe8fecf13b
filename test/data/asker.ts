import { ModelError } from '../../src/model.ts'
import { SharedFile } from '../../src/models/file.ts'
import { limited } from '../../src/models/limited.ts'
import { LIMITS_SCHEMA, Limiter } from '../../src/models/limiter.ts'
import { openai } from '../../src/models/openai.ts'
import { wrapped } from '../../src/models/wrap.ts'
import { ask } from './model.ts'

/** What a process did and was told, milliseconds since 1970: when it asked, and from when on it knew until when it may not. */
export interface Asked {
  readonly launches: number[]
  readonly refusals: { readonly knownAt: number; readonly until: number }[]
}

/** A process of its own that asks an endpoint so many times, as fast as it may. */
const [path = '', baseURL = '', times = '1'] = process.argv.slice(2)
const asked: Asked = { launches: [], refusals: [] }
const model = openai({ model: 'm', baseURL, apiKey: null })
const watched = wrapped(model, async (request, context) => {
  asked.launches.push(Date.now())
  try {
    return await model.generate(request, context)
  } catch (error) {
    const knownAt = Date.now()
    if (error instanceof ModelError) asked.refusals.push({ knownAt, until: knownAt + (error.retryAfterMs ?? 0) })
    throw error
  }
})
const limiter = new Limiter(new SharedFile(path, LIMITS_SCHEMA), baseURL, 100)
await Promise.all(
  Array.from({ length: Number(times) }, (_, i) => limited(watched, limiter, 2).generate(ask(`${process.pid} ${i}`))),
)
process.send?.(asked)
process.disconnect?.()
