import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * What surrounds running code and follows its asynchronous calls. There is one storage for all of it: Node copies what every storage holds each
 * time a function is run in one, and a row of an evaluation is run in several.
 */

/** Never changed: whoever adds something runs a function in a copy. What each field holds, only its owner knows. */
export interface Frame {
  /** Of `host.ts`: what the evaluation belongs to. */
  readonly host: unknown
  /** Of `model.ts`: where judges find their models, … */
  readonly models: unknown
  /** … and what counts the calls. */
  readonly meter: unknown
  /** Of `recorder.ts`: which trace is being recorded, below which span. */
  readonly place: unknown
  /** Of `provider.ts`: OpenTelemetry's context, where nobody else keeps it. */
  readonly context: unknown
}

// All fields, so that every copy has the same shape.
const NOTHING: Frame = { host: undefined, models: undefined, meter: undefined, place: undefined, context: undefined }

// On globalThis, because a test run may load this module twice: once for the app, once for the setup file.
const KEY = Symbol.for('vitest-evaluate.ambience')
const holder = globalThis as { [KEY]?: AsyncLocalStorage<Frame> }
holder[KEY] ??= new AsyncLocalStorage<Frame>()
const storage = holder[KEY]

/** Gives what surrounds the running code. */
export function around(): Frame {
  return storage.getStore() ?? NOTHING
}

/** Runs a function so that this surrounds it, and whatever it calls or starts. */
export function surround<T>(frame: Frame, fn: () => T): T {
  return storage.run(frame, fn)
}
