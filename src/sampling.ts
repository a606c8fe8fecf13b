import { hash } from 'node:crypto'

/** Gives where an id falls between 0 and 1, the same on every machine. */
export function samplePoint(id: string, seed = ''): number {
  const digest = hash('sha256', `vitest-evaluate.sampling\0${seed}\0${id}`, 'hex')
  return Number.parseInt(digest.slice(0, 13), 16) / 2 ** 52
}
