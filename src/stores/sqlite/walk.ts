import { EvaluationError } from '../../errors.ts'
import { clip } from '../../std/text.ts'
import type { StoredTrace } from '../../store.ts'
import type { Cursor, Page } from './cursor.ts'

const PAGE = 500

/**
 * Gives what a search finds, page by page.
 * @throws EvaluationError STORE_NOT_READABLE after everything that is whole, when something is damaged
 */
export async function* walk(
  path: string,
  limit: number,
  read: (cursor: Cursor | undefined, size: number) => Page | Promise<Page>,
): AsyncGenerator<StoredTrace> {
  const lost: (number | string)[] = []
  let left = limit
  let cursor: Cursor | undefined
  let early: Promise<Page> | undefined
  do {
    const page: Page = await (early ?? read(cursor, Math.min(PAGE, left)))
    left -= page.items.length + page.lost.length
    // Whoever has read a whole page and asks for more is likely to want them all.
    early = cursor && page.next && left > 0 ? soon(() => read(page.next, Math.min(PAGE, left))) : undefined
    yield* page.items
    lost.push(...page.lost)
    cursor = page.next
  } while (cursor && left > 0)
  if (lost.length === 0) return
  throw new EvaluationError(
    'STORE_NOT_READABLE',
    `Cannot read everything in the store "${path}": the file is damaged, and this is lost: ${clip(inWords(lost), 300)}`,
  )
}

/** What fails is thrown where it is awaited, if it still is. */
function soon<T>(work: () => T | Promise<T>): Promise<T> {
  const result = (async () => work())()
  result.catch(() => {})
  return result
}

/** Rows that follow each other are named together. */
function inWords(lost: readonly (number | string)[]): string {
  const parts: string[] = []
  for (let i = 0; i < lost.length; i++) {
    const first = lost[i] as number | string
    let last = first
    while (typeof last === 'number' && lost[i + 1] === last + 1) last = lost[++i] as number
    parts.push(typeof first === 'string' ? first : first === last ? `row ${first}` : `rows ${first} to ${last}`)
  }
  return parts.join(', ')
}
