import type { AnchorCheck, AnchorColumn } from '../src/anchor.ts'
import { plural } from '../src/std/text.ts'
import type { Note } from './note.ts'
import { decimal, placesOf } from './number.ts'
import { fit } from './screen.ts'
import { minute } from './time.ts'

/** What a judge says of its anchors. */

const MAX_NAME = 80

/** Gives a sentence for each column of a check. */
export function anchorNotes(check: AnchorCheck): Note[] {
  const { scorer, verdict, traces, columns, firstMs, errors } = check
  const label = fit(scorer, MAX_NAME)
  const failed =
    errors > 0 ? [{ mark: 'note' as const, text: `${label}: ${plural(errors, 'anchor')} could not be judged` }] : []
  if (errors >= traces) return failed
  if (verdict === 'first') {
    const text = `${label}: its first verdicts on ${plural(traces, 'anchor')}, ${minute(firstMs)} UTC; the next check is held against them`
    return [{ mark: 'fact', text }, ...failed]
  }
  return [...columns.filter(({ n }) => n > 0).map((column) => noteOf(column, check)), ...failed]
}

function noteOf(column: AnchorColumn, { scorer, firstMs }: AnchorCheck): Note {
  const { name, n, differ, verdict } = column
  const label = fit(name === scorer ? name : `${scorer}/${name}`, MAX_NAME)
  const then = `${minute(firstMs)} UTC`
  const counted = `${differ} of ${plural(n, 'anchor')} judged otherwise`
  if (verdict === 'changed')
    return {
      mark: 'note',
      text: `${label}: the judge has changed, whatever the app has done: since ${then} ${figures(column)}; ${counted}`,
    }
  if (verdict === 'same')
    return { mark: 'fact', text: `${label}: the judge is as it was ${then}: ${figures(column)}; ${counted}` }
  return { mark: 'fact', text: `${label}: ${counted} than ${then}, which is no measure of the judge` }
}

function figures({ before = Number.NaN, after = Number.NaN, difference }: AnchorColumn): string {
  const places = Math.max(placesOf(before), placesOf(after))
  const { low = Number.NaN, high = Number.NaN } = difference?.interval ?? {}
  const signed = (value: number) => decimal(value, places).replace('-', '−')
  return `mean ${decimal(before, places)} then and ${decimal(after, places)} now, a difference between ${signed(low)} and ${signed(high)}`
}
