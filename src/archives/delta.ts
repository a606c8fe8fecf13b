import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Archive } from '../archival.ts'
import { quote } from '../errors.ts'

/**
 * Gives the Delta Lake table in a folder, as an archive of traces. Nothing is read or made before it is used.
 *
 * The table is what the Delta protocol calls reader 1, writer 2: Parquet files in folders by day (`date=2026-11-21`), and a log of JSON. It can
 * be read by everything that reads Delta tables. Tables that other writers made or changed are read and appended to, where their columns fit.
 * The folder is on a file system with hard links; object stores are not known.
 *
 * @param path relative to the working directory
 * @throws TypeError for a path that cannot be meant
 */
export function delta(path: string | URL): Archive {
  const location = locationOf(path)
  let opened: Promise<Archive> | undefined
  const open = (): Promise<Archive> => {
    opened ??= import('./folder.ts').then(({ openFolder }) => openFolder(location))
    return opened
  }
  return {
    location,
    append: async (rows, batch) => (await open()).append(rows, batch),
    lastBatch: async (application) => (await open()).lastBatch(application),
    count: async (query) => (await open()).count(query),
    async *read(query) {
      yield* (await open()).read(query)
    },
  }
}

function locationOf(path: string | URL): string {
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  const text = path instanceof URL ? path.href : path
  if (typeof text === 'string' && text !== '' && !/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return resolve(text)
  throw new TypeError(
    `Cannot tell where the Delta table is from ${quote(text)}\nHint: name a folder, as in "archive/traces"`,
  )
}
