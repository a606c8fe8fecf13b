/** A small app to gate: it sends support tickets to a team. Rules stand where yours asks a model. */

export interface Ticket {
  readonly text: string
}

const RULES: readonly (readonly [team: string, words: RegExp])[] = [
  ['billing', /charged|invoice|card on|refund|receipt|bill/i],
  ['access', /log in|password|account|factor|sign-in/i],
]

export function triage({ text }: Ticket): string {
  return RULES.find(([, words]) => words.test(text))?.[0] ?? 'product'
}
