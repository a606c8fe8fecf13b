import type { Screen } from '../src/reporter.ts'

/** A line of blocks: how a figure went over time. */

const BLOCKS = { levels: '▁▂▃▄▅▆▇█', nothing: '·' }
const ASCII = { levels: '_.:-=+*#', nothing: ' ' }

/** A figure of one window; missing where there was nothing to tell it from. */
export interface Point {
  readonly value: number | undefined
  /** How much it counts where windows are drawn together. */
  readonly weight: number
}

/**
 * Gives one character for each window, or for several drawn together where there are more than `width`.
 * @param least how far apart top and bottom are at least: a share that hardly moves is to look like it
 */
export function sparkline(
  points: readonly Point[],
  width: number,
  least: number,
  screen: Pick<Screen, 'blocks'>,
): string {
  const { levels, nothing } = screen.blocks === false ? ASCII : BLOCKS
  const drawn = gathered(points, Math.max(1, width))
  const known = drawn.filter((value) => value !== undefined)
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const slack = Math.max(0, least - (high - low)) / 2
  const span = high - low + 2 * slack
  return drawn
    .map((value) => {
      if (value === undefined) return nothing
      const height = span > 0 ? (value - low + slack) / span : 0.5
      return levels[Math.min(levels.length - 1, Math.floor(height * levels.length))]
    })
    .join('')
}

function gathered(points: readonly Point[], width: number): (number | undefined)[] {
  const count = Math.min(points.length, width)
  return Array.from({ length: count }, (_, i) => {
    const some = points.slice(Math.floor((i * points.length) / count), Math.floor(((i + 1) * points.length) / count))
    const weight = some.reduce((sum, point) => sum + (point.value === undefined ? 0 : point.weight), 0)
    if (weight === 0) return undefined
    return some.reduce((sum, { value = 0, weight: share }) => sum + (value * share) / weight, 0)
  })
}
