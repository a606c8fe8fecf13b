import { duration } from '../src/std/text.ts'

/** Times as people read them. */

/** Gives a time of day, UTC. */
export function minute(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(0, 16).replace('T', ' ')
}

/** Gives a stretch of time in its largest units: "12 min", "7 h", "3 d 4 h". */
export function lapse(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (ms < 59_500) return ms < 1_000 ? duration(Math.max(0, ms)) : `${Math.round(ms / 1_000)} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.round(ms / 3_600_000)
  if (hours < 48)
    return minutes % 60 === 0 || hours >= 10 ? `${hours} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}
