import { EvaluationError } from '../../errors.ts'
import { clip } from '../../std/text.ts'
import type { StoredTrace } from '../../store.ts'
import type { Cursor, Page } from './reader.ts'

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
  const lost: string[] = []
  let left = limit
  let cursor: Cursor | undefined
  do {
    const page: Page = await read(cursor, Math.min(PAGE, left))
    yield* page.items
    lost.push(...page.lost)
    left -= page.items.length + page.lost.length
    cursor = page.next
  } while (cursor && left > 0)
  if (lost.length === 0) return
  throw new EvaluationError(
    'STORE_NOT_READABLE',
    `Cannot read everything in the store "${path}": the file is damaged, and this is lost: ${clip(lost.join(', '), 300)}`,
  )
}
