import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Settings } from './host.ts'
import { requireOptions } from './options.ts'

/** Which experiment runs and traces belong to. */

let experimentInForce: string | undefined

/** Sets the experiment of every evaluation in this process that names none. */
export function setExperiment(name: string): void {
  requireOptions({ experiment: name })
  experimentInForce = name
}

/** Gives the name of the experiment in force. */
export function experimentName(chosen: string | undefined, settings: Settings | undefined): string {
  const root = settings?.root ?? process.cwd()
  return (
    chosen ??
    experimentInForce ??
    (process.env.VITEST_EVALUATE_EXPERIMENT || (settings?.experiment ?? packageName(root) ?? 'default'))
  )
}

/** A broken package file is not this package's to complain about. */
function nameIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))?.name
  } catch {
    return undefined
  }
}

function packageName(folder: string): string | undefined {
  const file = join(folder, 'package.json')
  if (existsSync(file)) {
    const name = nameIn(file)
    return typeof name === 'string' && name !== '' ? name : undefined
  }
  const parent = dirname(folder)
  return parent === folder ? undefined : packageName(parent)
}
