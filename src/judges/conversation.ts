import { encode } from '../std/json.ts'
import type { Trace } from '../trace.ts'
import { type ChatMessage, fieldText, indented, messagesOf } from './block.ts'
import { type MadeCall, madeCalls } from './calls.ts'

/** A conversation as judges read it, rebuilt from the traces of a session. */

export interface Turn {
  readonly user: string
  readonly assistant: string
  readonly calls: readonly MadeCall[]
}

export interface Conversation {
  /** What the app was told to be, where its inputs say so. */
  readonly system?: string
  readonly turns: readonly Turn[]
}

/** @param session traces in the order of time */
export function conversationOf(session: readonly Trace[]): Conversation {
  const messages = session.map((trace) => messagesOf(partOf(trace, 'inputs')))
  const system = messages.flat().find((message) => message?.role === 'system' || message?.role === 'developer')
  return {
    ...(system && { system: system.content }),
    turns: session.map((trace, i) => ({
      user: newest(messages[i]) ?? fieldText(partOf(trace, 'inputs')),
      assistant: answerOf(partOf(trace, 'outputs')),
      calls: madeCalls(trace),
    })),
  }
}

function partOf(trace: Trace, part: 'inputs' | 'outputs'): unknown {
  return trace.root?.[part] ?? trace[part] ?? ''
}

/** Inputs of a chat bring the turns before along: what is new stands after the assistant's last word. */
function newest(messages: readonly ChatMessage[] | undefined): string | undefined {
  if (!messages) return undefined
  const last = messages.findLastIndex(({ role }) => role === 'assistant')
  const fresh = messages.slice(last + 1).filter(({ role }) => role === 'user')
  const said = fresh.length > 0 ? fresh : messages.filter(({ role }) => role === 'user').slice(-1)
  return said.length > 0 ? said.map(({ content }) => content).join('\n\n') : undefined
}

function answerOf(outputs: unknown): string {
  const messages = messagesOf(outputs)?.filter(({ role }) => role === 'assistant')
  return messages && messages.length > 0 ? messages.map(({ content }) => content).join('\n\n') : fieldText(outputs)
}

/** Gives the text of a conversation. Every line of what was said is indented, so that nobody can put words into another's mouth. */
export function conversationText({ system, turns }: Conversation, withTools = false): string {
  const parts = turns.map(({ user, assistant, calls }, i) =>
    [`Turn ${i + 1}`, said('user', user), ...(withTools ? calls.map(callText) : []), said('assistant', assistant)].join(
      '\n',
    ),
  )
  return [...(system === undefined ? [] : [said('system', system)]), ...parts].join('\n\n')
}

function said(role: string, text: string): string {
  return `${role}:\n${indented(text)}`
}

function callText({ name, arguments: given, result, failed }: MadeCall): string {
  const lines = [`${name}(${given === undefined ? '' : encode(given)})`]
  if (result !== undefined) lines.push(`result: ${encode(result)}`)
  if (failed) lines.push('this call failed')
  return said('tool', lines.join('\n'))
}
