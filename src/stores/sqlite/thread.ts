import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { EvaluationError, messageOf } from '../../errors.ts'
import { nowMs } from '../../std/async.ts'
import { readArrivals } from './arrivals.ts'
import { Database, type OpenOptions } from './database.ts'
import type { Answer, Batch, Message, Methods } from './protocol.ts'
import { Reader } from './reader.ts'
import { Registrations } from './registry.ts'
import { readScores } from './scores.ts'
import { Units } from './units.ts'
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
  readonly registrations: Registrations
  readonly units: Units
}

let opened: Opened | undefined

/** Opens on the first message, so that a file that cannot be opened is an answer and not a crash. */
function open(): Opened {
  if (!opened) {
    const db = new Database(workerData as OpenOptions)
    const writer = new Writer(db)
    const units = new Units(db, writer.assessments)
    opened = { db, writer, reader: new Reader(db), registrations: new Registrations(db), units }
  }
  return opened
}

function write<T>(work: (writer: Writer) => T): T {
  const { db, writer } = open()
  return db.transaction(() => work(writer))
}

function manage<T>(work: (registrations: Registrations) => T): T {
  const { db, registrations } = open()
  return db.transaction(() => work(registrations))
}

function work<T>(step: (units: Units) => T): T {
  const { db, units } = open()
  return db.transaction(() => step(units))
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
  registerScorer: (write) => manage((registrations) => registrations.register(write)),
  registrations: (query) => open().registrations.list(query),
  configureScorer: (experiment, name, config) =>
    manage((registrations) => registrations.configure(experiment, name, config)),
  deleteScorer: (experiment, name, version) =>
    manage((registrations) => registrations.delete(experiment, name, version)),
  keepNote: (note, was) => manage((registrations) => registrations.keepNote(note, was)),
  notes: (kind, id) => open().registrations.notes(kind, id),
  dropNote: (kind, id) => manage((registrations) => registrations.dropNote(kind, id)),
  standing: (traceIds) => open().reader.standing(traceIds),
  putTraces: (changes) => write((writer) => writer.put(changes)),
  arrivals: (query) => readArrivals(open().db, query),
  examine: (examination) => work((units) => units.examine(examination)),
  claim: (wanted, lease, note) => {
    const { registrations } = open()
    return work((units) => {
      if (note) registrations.keepNote(note)
      return units.claim(wanted, lease)
    })
  },
  claimDue: (scorers, lease, limit) => work((units) => units.claimDue(scorers, lease, limit)),
  renew: (lease) => work((units) => units.renew(lease)),
  release: (owner) => work((units) => units.release(owner, nowMs())),
  settle: (outcomes, lease) => work((units) => units.settle(outcomes, lease)),
  units: (query) => open().units.query(query),
  countUnits: (scorers) => open().units.counts(scorers),
  scores: (query) => readScores(open().db, query),
  revive: (scorers, entity) => work((units) => units.revive(scorers, entity, nowMs())),
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
