import { createRequire } from 'node:module'
import { around, surround } from './ambience.ts'
import { type OtelContext, PLACE, placeIn } from './processor.ts'
import { type Api, contextOf, LightContextManager, LightTracerProvider } from './provider.ts'
import { type Bridge, type Place, setBridge } from './recorder.ts'

/** Connects evaluations with OpenTelemetry, as far as the app has it. */

/** An evaluation's wish to record what the app emits. */
export interface Listening {
  /** True where the app has a tracer provider of its own: then only a processor of ours sees its spans. */
  readonly foreign: boolean
  /** Takes everything back that was registered, once nobody listens any more. */
  stop(): void
}

interface Installed {
  readonly foreign: boolean
  readonly remove: () => void
  listeners: number
}

// On globalThis, because a test run may load this module twice, and what is registered with OpenTelemetry is one for all.
const KEY = Symbol.for('vitest-evaluate.telemetry')
const holder = globalThis as { [KEY]?: Installed | undefined }

/** Begins to record what the app emits through `@opentelemetry/api`; gives undefined where that is not installed. */
export async function listen(): Promise<Listening | undefined> {
  const api = await loadApi()
  if (!api) return undefined
  holder[KEY] ??= install(api)
  const installed = holder[KEY]
  installed.listeners++
  let stopped = false
  const stop = (): void => {
    if (stopped) return
    stopped = true
    installed.listeners--
    if (installed.listeners > 0) return
    installed.remove()
    holder[KEY] = undefined
  }
  return { foreign: installed.foreign, stop }
}

let api: Promise<Api | undefined> | undefined

function loadApi(): Promise<Api | undefined> {
  api ??= import('@opentelemetry/api').catch(() => undefined)
  return api
}

function install(api: Api): Installed {
  const foreign = hasProvider(api)
  const removeProvider = foreign ? undefined : registerProvider(api)
  const kept = hasManager(api) ? undefined : registerManager(api)
  setBridge(bridgeOver(api, kept?.manager))
  const remove = (): void => {
    setBridge(undefined)
    removeProvider?.()
    kept?.remove()
  }
  // A registration that was refused: there is one already, made through a version of the API that this one cannot see.
  return { foreign: foreign || !removeProvider, remove, listeners: 0 }
}

/** What the API hands out before and after a provider is registered. */
interface Proxy {
  getDelegateTracer?(name: string): unknown
  getDelegate?(): unknown
  setDelegate?(provider: unknown): void
}

function proxyOf(api: Api): Proxy {
  return api.trace.getTracerProvider() as Proxy
}

function hasProvider(api: Api): boolean {
  const proxy = proxyOf(api)
  return !proxy.getDelegateTracer || proxy.getDelegateTracer('vitest-evaluate') !== undefined
}

function registerProvider(api: Api): (() => void) | undefined {
  const provider = new LightTracerProvider(api)
  // Tracers that another copy of the API handed out before this know nothing of what is registered now, but they ask their own copy.
  for (const copy of otherCopies()) if (!hasProvider(copy)) proxyOf(copy).setDelegate?.(provider)
  if (!api.trace.setGlobalTracerProvider(provider)) return undefined
  return () => {
    provider.retire()
    if (proxyOf(api).getDelegate?.() === provider) api.trace.disable()
  }
}

const API_FILE = /[\\/]@opentelemetry[\\/]api[\\/](?:dist[\\/]index\.cjs|build[\\/]src[\\/]index\.js)$/

/** Gives the API's copies that CommonJS has loaded: older versions, those of other packages, and its second form of its own. */
function otherCopies(): Api[] {
  const loaded = Object.entries(createRequire(import.meta.url).cache)
  return loaded
    .filter(([path]) => API_FILE.test(path))
    .flatMap(([, copy]) => (copy?.exports?.trace ? [copy.exports] : []))
}

function hasManager({ context, ROOT_CONTEXT }: Api): boolean {
  const probe = ROOT_CONTEXT.setValue(PLACE, undefined)
  return context.with(probe, () => context.active() === probe)
}

function registerManager(api: Api): { readonly manager: LightContextManager; readonly remove: () => void } | undefined {
  const { context, ROOT_CONTEXT } = api
  const manager = new LightContextManager(api)
  if (!context.setGlobalContextManager(manager)) return undefined
  const probe = ROOT_CONTEXT.setValue(PLACE, undefined)
  const remove = (): void => {
    if (context.with(probe, () => manager.active() === probe)) context.disable()
  }
  return { manager, remove }
}

/** @param manager ours, where it keeps the context */
function bridgeOver(api: Api, manager: LightContextManager | undefined): Bridge {
  const { context, trace } = api
  return {
    here(own: Place | undefined): Place | undefined {
      const active = context.active()
      return placeIn(active as OtelContext, trace.getSpanContext(active), own)
    },
    within<T>(place: Place, fn: () => T): T {
      if (manager) return manager.within(place, fn)
      return surround({ ...around(), place }, () => context.with(contextOf(api, place, context.active()), fn))
    },
  }
}
