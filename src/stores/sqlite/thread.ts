import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { EvaluationError, messageOf } from '../../errors.ts'
import { Database, type OpenOptions } from './database.ts'
import type { Answer, Batch, Message, Methods } from './protocol.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/**
 * The thread that holds the connection: no wait for a lock ever blocks the event loop of the user's code. Messages are answered in
 * the order of their arrival, so that what was written before a question is there when it is answered.
 */

/** Batches that wait behind each other are committed together, for at most this long: what a `kill -9` may lose. */
const COMMIT_MS = 20

const port = parentPort
if (!port) throw new Error('This file runs as a worker thread only')

interface Opened {
  readonly db: Database
  readonly writer: Writer
  readonly reader: Reader
}

let opened: Opened | undefined

/** Opens on the first message, so that a file that cannot be opened is an answer and not a crash. */
function open(): Opened {
  if (!opened) {
    const db = new Database(workerData as OpenOptions)
    opened = { db, writer: new Writer(db), reader: new Reader(db) }
  }
  return opened
}

function write<T>(work: (writer: Writer) => T): T {
  const { db, writer } = open()
  return db.transaction(() => work(writer))
}

const methods: Methods = {
  createRun: (run) => write((writer) => writer.createRun(run)),
  updateRun: (run, was) => write((writer) => writer.updateRun(run, was)),
  getRun: (id) => open().reader.run(id),
  listRuns: (query) => open().reader.runs(query),
  writeTraces: (tape) => write((writer) => writer.traces(tape)),
  logAssessment: (traceId, tape, overrides) => write((writer) => writer.log(traceId, tape, overrides)),
  updateAssessment: (id, change) => write((writer) => writer.assessments.update(id, change)),
  deleteAssessment: (id) => write((writer) => writer.assessments.delete(id)),
  page: (query, after, size) => open().reader.page(query, after, size),
  count: (query) => open().reader.count(query),
  trials: (runId) => open().reader.trials(runId),
  close: () => {
    // Nothing else keeps the thread alive: once the answer is on its way, it ends.
    setImmediate(() => port.close())
    opened?.reader.close()
    opened?.db.close()
    opened = undefined
  },
}

port.on('message', (message: Message) => {
  let next: Message | undefined = message
  while (next) next = 'tape' in next ? commit(next) : call(next)
})

/** Writes a batch together with those that have arrived behind it; gives the message after them, if there is one. */
function commit(first: Batch): Message | undefined {
  const ids = [first.id]
  let after: Message | undefined
  answer(
    () => ids,
    () => {
      const started = performance.now()
      write((writer) => {
        // One at a time: tapes that were held until the commit would have to be copied by the garbage collector.
        let { tape } = first
        for (;;) {
          writer.trials(tape)
          if (performance.now() - started > COMMIT_MS) return
          after = waiting()
          if (!after || !('tape' in after)) return
          ids.push(after.id)
          tape = after.tape
          after = undefined
        }
      })
    },
  )
  return after
}

function call(message: Exclude<Message, Batch>): undefined {
  answer(
    () => [message.id],
    () => (methods[message.method] as (...args: unknown[]) => unknown)(...message.args),
  )
}

function waiting(): Message | undefined {
  return receiveMessageOnPort(port as NonNullable<typeof port>)?.message as Message | undefined
}

function answer(ids: () => number[], work: () => unknown): void {
  let reply: Omit<Answer, 'id'>
  try {
    reply = { result: work() }
  } catch (error) {
    const { code = 'STORE_NOT_WRITABLE', hint } = error instanceof EvaluationError ? error : {}
    reply = { error: { code, hint, message: messageOf(error).split('\nHint: ')[0] as string } }
  }
  for (const id of ids()) port?.postMessage({ id, ...reply })
}
