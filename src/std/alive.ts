import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** A clock may have been put right since. */
const MARGIN_MS = 60_000
/** Linux counts the start of processes in hundredths of a second. */
const TICK_MS = 10

/**
 * Tells whether a process is still there: undefined about other machines, of which nothing is known.
 * @param sinceMs a moment when it was there; a process that began later only has the same number
 */
export function isAlive(
  { pid, host }: { readonly pid: number; readonly host: string },
  sinceMs: number,
): boolean | undefined {
  if (host !== hostname()) return undefined
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const [it, self] = [linuxProcess(pid), linuxProcess(process.pid)]
  if (!it || !self) return true
  const beganMs = performance.timeOrigin + (it.beganTicks - self.beganTicks) * TICK_MS
  // Who ended, but was not asked how: where nobody asks, as in many containers, it stays so for good.
  return !it.ended && beganMs < sinceMs + MARGIN_MS
}

/** What Linux says of a process; undefined elsewhere. */
function linuxProcess(pid: number): { readonly ended: boolean; readonly beganTicks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { ended: fields[0] === 'Z' || fields[0] === 'X', beganTicks: Number(fields[19]) }
  } catch {
    return undefined
  }
}
