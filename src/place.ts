import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { archiveStore, isArchive } from './archives/store.ts'
import { DEFAULT_STORE } from './handoff.ts'
import type { Settings } from './host.ts'
import type { EvaluateOptions } from './options.ts'
import { type Committed, committedIn, type TreeState, treeState } from './std/git.ts'
import type { Store } from './store.ts'
import { sqlite } from './stores/sqlite.ts'

/** The place where an evaluation happens: store in force, working tree. Small, since a setup file loads it before everything else. */

// One connection per file and process, however often this module is loaded.
const KEY = Symbol.for('vitest-evaluate.stores')
const holder = globalThis as { [KEY]?: Map<string, Store> }
holder[KEY] ??= new Map()
const stores = holder[KEY]

/** Gives the store in force, opened once per process; the folder of an archive is one that can only be read. */
export function openStore(chosen: string | Store | undefined, settings?: Settings): Store {
  if (typeof chosen === 'object') return chosen
  const path = resolve(
    rootOf(settings),
    chosen ?? (process.env.VITEST_EVALUATE_STORE || (settings?.store ?? DEFAULT_STORE)),
  )
  const store = stores.get(path) ?? (isArchive(path) ? archiveStore(path) : sqlite(path))
  stores.set(path, store)
  return store
}

/** Gives the store with the runs of before: a shard writes a store of its own, which has none. */
export function shelfOf(store: Store, options: Pick<EvaluateOptions, 'store'>, settings: Settings | undefined): Store {
  const whole = settings?.whole
  if (whole === undefined || options.store !== undefined || process.env.VITEST_EVALUATE_STORE) return store
  return existsSync(resolve(rootOf(settings), whole)) ? openStore(whole, settings) : store
}

/** Lets what an evaluation waits for make ready while its test file is still being loaded: the store in force, and what git knows of the commit. */
export function prepare(settings: Settings | undefined): void {
  openStore(undefined, settings).prepare?.()
  const root = rootOf(settings)
  if (asked?.root !== root) asked = { root, committed: committedIn(root) }
}

/** What git was asked ahead. What is not committed may change before the evaluation begins: that is asked then. */
let asked: { readonly root: string; readonly committed: Promise<Committed | undefined> } | undefined

/** Gives the state of the working tree. @param file the test file, from the root */
export function treeNow(settings: Settings | undefined, file: string | undefined): Promise<TreeState | undefined> {
  const root = rootOf(settings)
  return treeState(root, file, asked?.root === root ? asked.committed : undefined)
}

function rootOf(settings: Settings | undefined): string {
  return settings?.root ?? process.cwd()
}

/** The store's place for reports: relative to the root where it lies below it. */
export function storePlace(store: Store, settings?: Settings): string {
  if (store.location === 'memory') return store.location
  const path = relative(rootOf(settings), store.location)
  return path.startsWith('..') ? store.location : path
}
