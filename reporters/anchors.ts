import type { AnchorCheck, AnchorColumn } from '../src/anchor.ts'
import { plural } from '../src/std/text.ts'
import type { Note } from './note.ts'
import { decimal, placesOf } from './number.ts'
import { fit } from './screen.ts'
import { minute } from './time.ts'

/** What a judge says of its anchors. */

const MAX_NAME = 80

/** Gives a sentence for each column of a check, and for what stood in its way. */
export function anchorNotes(check: AnchorCheck): Note[] {
  const { scorer, verdict, problem, notice, traces, columns, firstMs = 0, errors } = check
  const label = fit(scorer, MAX_NAME)
  const note = (text: string): Note => ({ mark: 'note', text: `${label}: ${text}` })
  if (problem !== undefined) return [note(problem.replace('\nHint: ', '; '))]
  const more = [
    ...(errors > 0 ? [note(`${plural(errors, 'anchor')} could not be judged`)] : []),
    ...(notice === undefined ? [] : [note(notice)]),
  ]
  if (errors >= traces) return more
  if (verdict === 'first') {
    const text = `${label}: its first verdicts on ${plural(traces, 'anchor')}, ${minute(firstMs)} UTC; the next check is held against them`
    return [{ mark: 'fact', text }, ...more]
  }
  return [...columns.map((column) => noteOf(column, check)), ...more]
}

function noteOf(column: AnchorColumn, { scorer, firstMs = 0 }: AnchorCheck): Note {
  const { name, n, differ, verdict } = column
  const label = fit(name === scorer ? name : `${scorer}/${name}`, MAX_NAME)
  const since = `since ${minute(firstMs)} UTC`
  const said = `${differ} of ${plural(n, 'anchor')} judged otherwise${figures(column)}`
  if (verdict === 'changed')
    return { mark: 'note', text: `${label}: the judge has changed ${since}, whatever the app has done: ${said}` }
  if (verdict === 'same') return { mark: 'fact', text: `${label}: no change of the judge shows ${since}: ${said}` }
  return { mark: 'fact', text: `${label}: too few anchors to tell whether the judge has changed ${since}: ${said}` }
}

function figures({ before, after, difference }: AnchorColumn): string {
  if (before === undefined || after === undefined) return ''
  const places = Math.max(placesOf(before), placesOf(after))
  const { interval } = difference ?? {}
  const signed = (value: number) => decimal(value, places).replace('-', '−')
  const range = interval ? `, a difference between ${signed(interval.low)} and ${signed(interval.high)}` : ''
  return `; mean ${decimal(before, places)} then and ${decimal(after, places)} now${range}`
}
