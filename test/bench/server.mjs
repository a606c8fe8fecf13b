// The endpoint in a process of its own, so that what it costs does not count for the client.
import { endpoint } from '../data/endpoint.ts'

process.once('message', async (options) => {
  const server = await endpoint(() => '{"rationale":"it is","result":"yes"}', options)
  process.on('message', () => {
    const times = server.journal.map(({ at }) => at)
    process.send({
      statuses: server.statuses(),
      early: server.early,
      peak: server.peak,
      ms: times.length > 0 ? Math.max(...times) - Math.min(...times) : 0,
      refused: server.journal.filter(({ status }) => status === 429).map(({ at }) => Math.round(at - times[0])),
    })
  })
  process.send({ url: server.url })
})
