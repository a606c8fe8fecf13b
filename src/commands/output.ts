import type { Screen } from '../reporter.ts'
import { visibleJson } from '../std/text.ts'

/** Where a command prints. */
export interface Output {
  readonly screen: Screen
  print(text: string): void
}

/** Options that every command takes. */
export interface Shared {
  readonly store?: string
  readonly json?: boolean
}

export function storeOption({ store }: Shared): { store?: string } {
  return store === undefined ? {} : { store }
}

/** Prints one JSON document; what JSON has no form for becomes text. */
export function printJson(output: Output, value: unknown): void {
  output.print(visibleJson(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? String(item) : item), 2)))
}
