import { hash } from 'node:crypto'

/** Which traces are scored: decided by their ids alone, so that every machine, every restart and every repetition decides alike. */

const WHOLE = 2 ** 53
/** Hex digits from here on begin with a bit that is set; in ASCII, letters come after digits. */
const EIGHT = '8'.charCodeAt(0)

/**
 * Gives the place of a trace or session between 0 and 1, 1 excluded: the first 53 bits of SHA-256 over domain, seed and id, with zero bytes between them. It is in the
 * sample where the place is below the rate. All scorers ask for the same place, so what a scorer of a lower rate sees, one of a higher rate sees too; raising a rate
 * only adds, and another scorer changes nobody's sample.
 *
 * @param seed draws another sample
 */
export function samplePoint(id: string, seed = ''): number {
  const digest = hash('sha256', `vitest-evaluate.sampling\0${seed}\0${id}`, 'hex')
  // More than 53 bits at once would be rounded, up to 1 at worst.
  const high = Number.parseInt(digest.slice(0, 13), 16)
  const last = digest.charCodeAt(13) >= EIGHT ? 1 : 0
  return (high * 2 + last) / WHOLE
}
