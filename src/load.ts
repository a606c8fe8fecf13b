import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EvaluationError, messageOf, quote } from './errors.ts'
import { textDigest } from './recipe.ts'
import { clearTimer, setTimer } from './std/async.ts'

/** Loading modules of the user's project that export scorers or judges, outside of any test. */

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>

/** The text of every module when it was loaded first: under its plain address it stays what it was then. */
const first = new Map<string, string>()

/**
 * Loads a module: as Node does, and where that cannot (aliases, paths without endings, TypeScript that is more than types, JSX) through Vite with the project's
 * configuration. A module that has changed since it was loaded before is loaded anew; what it imports is not.
 *
 * @param file its absolute path
 * @param root where the configuration is looked for
 * @throws EvaluationError MODULE_NOT_FOUND; MODULE_INVALID when it cannot be loaded, or throws while it is
 */
export async function loadModule(file: string, root: string): Promise<Exports> {
  const where = `Cannot load ${quote(file)}`
  const digest = textDigest(file, where)
  if (!first.has(file)) first.set(file, digest)
  const query = first.get(file) === digest ? '' : `?${digest}`
  holder[KEY] = (holder[KEY] ?? 0) + 1
  try {
    return await inTime(import(/* @vite-ignore */ pathToFileURL(file).href + query), where)
  } catch (cause) {
    if (cause instanceof EvaluationError && cause.code === 'MODULE_INVALID') throw cause
    if (!isBeyondNode(cause)) throw new EvaluationError('MODULE_INVALID', `${where}: ${messageOf(cause)}`, { cause })
    return await throughVite(file + query, root, where, cause)
  } finally {
    holder[KEY]--
  }
}

// On globalThis, because the module may bring another copy of this one along.
const KEY = Symbol.for('vitest-evaluate.loading')
const holder = globalThis as { [KEY]?: number }

/** True while a module is being loaded for its scorers: what it does at its top level happens in every process that scores, and every time. */
export function isLoading(): boolean {
  return (holder[KEY] ?? 0) > 0
}

const PATIENCE_MS = 10_000

/** A module that waits for its own scorers would never be loaded; nor would anybody be told, since such a process just ends. */
async function inTime<T>(work: Promise<T>, where: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimer(() => {
      const message = `${where}: it has not been loaded after ${PATIENCE_MS / 1_000} s`
      const hint =
        'a module that waits at its top level for its own scorers never is: keep scorers in one that only exports them'
      reject(new EvaluationError('MODULE_INVALID', message, { hint }))
    }, PATIENCE_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimer(timer)
  }
}

const BEYOND_NODE = [
  'ERR_MODULE_NOT_FOUND',
  'ERR_PACKAGE_IMPORT_NOT_DEFINED',
  'ERR_INVALID_MODULE_SPECIFIER',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_ESM_URL_SCHEME',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNKNOWN_MODULE_FORMAT',
  'ERR_IMPORT_ATTRIBUTE_MISSING',
]

/** Whether Node could not make sense of a module, or of what it imports; what a module throws itself is its own affair. */
function isBeyondNode(thrown: unknown): boolean {
  return thrown instanceof SyntaxError || BEYOND_NODE.includes((thrown as { code?: string } | null)?.code ?? '')
}

/** What is used of Vite, from 6 on. It is not imported by name: the project's own is loaded, where it has one. */
interface Vite {
  createServer(options: object): Promise<{ readonly environments: { readonly ssr: object } }>
  createServerModuleRunner(environment: object, options: object): Runner
}

interface Runner {
  import(file: string): Promise<unknown>
}

async function throughVite(file: string, root: string, where: string, cause: unknown): Promise<Exports> {
  const hint =
    'Node loads TypeScript from 22.18 on, and imports with their endings; with vite or vitest installed, their configuration applies'
  const vite = await viteOf(root)
  if (!vite) throw new EvaluationError('MODULE_INVALID', `${where}: ${messageOf(cause)}`, { cause, hint })
  try {
    const runner = await runnerOf(vite, root)
    return (await runner.import(file)) as Exports
  } catch (thrown) {
    throw new EvaluationError('MODULE_INVALID', `${where}, not through Vite either: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** The project's own, else the one that its vitest brings along. */
async function viteOf(root: string): Promise<Vite | undefined> {
  const project = createRequire(join(root, 'package.json'))
  const sources = [
    () => project.resolve('vite'),
    () => createRequire(project.resolve('vitest/package.json')).resolve('vite'),
  ]
  for (const source of sources) {
    try {
      return (await import(/* @vite-ignore */ pathToFileURL(source()).href)) as Vite
    } catch {}
  }
  return undefined
}

const runners = new Map<string, Promise<Runner>>()

/** One for all modules of a project. It stays, since a module may import more when its scorers are called. */
function runnerOf(vite: Vite, root: string): Promise<Runner> {
  let runner = runners.get(root)
  if (!runner) {
    runner = makeRunner(vite, root)
    runners.set(root, runner)
  }
  return runner
}

async function makeRunner({ createServer, createServerModuleRunner }: Vite, root: string): Promise<Runner> {
  const endings = ['ts', 'mts', 'js', 'mjs', 'cts', 'cjs']
  // As Vitest looks for it: its own configuration comes before Vite's.
  const configs = ['vitest', 'vite'].flatMap((name) => endings.map((ending) => join(root, `${name}.config.${ending}`)))
  const server = await createServer({
    root,
    configFile: configs.find((path) => existsSync(path)) ?? false,
    mode: 'test',
    logLevel: 'silent',
    clearScreen: false,
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true, include: [] },
  })
  return createServerModuleRunner(server.environments.ssr, { hmr: false })
}
