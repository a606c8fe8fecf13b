import type { Screen } from '../src/reporter.ts'
import { colors, hanging, type Style } from './screen.ts'

/** Sentences below a table, each with how urgent it is. */

export interface Note {
  readonly mark: 'alarm' | 'note' | 'fact'
  readonly text: string
}

const ORDER: readonly Note['mark'][] = ['alarm', 'note', 'fact']

export function urgentFirst(notes: readonly Note[]): Note[] {
  return [...notes].sort((a, b) => ORDER.indexOf(a.mark) - ORDER.indexOf(b.mark))
}

/** Gives notes as lines for a screen. */
export function noteLines(notes: readonly Note[], screen: Screen): string[] {
  const { red, yellow, dim } = colors(screen)
  const styles: Record<Note['mark'], Style> = { alarm: red, note: yellow, fact: dim }
  return notes.flatMap(({ mark, text }) => hanging([[mark === 'fact' ? '  ' : '! ', styles[mark]]], text, screen, 4))
}
