import { dirname, matchesGlob } from 'node:path'

/** Patterns that stand for files. */

const GLOB = /[*?{[]/

/** True for what may stand for several files. */
export function isGlob(path: string): boolean {
  return GLOB.test(path)
}

/** Gives the folder below which everything lies that can fit an absolute glob. */
export function globFolder(pattern: string): string {
  let folder = dirname(pattern)
  while (isGlob(folder)) folder = dirname(folder)
  return folder
}

/** True for an absolute path that an absolute glob stands for. */
export function fitsGlob(path: string, pattern: string): boolean {
  return isGlob(pattern) && matchesGlob(path, pattern)
}
