import { hasProcessor } from './processor.ts'
import type { Recording } from './recorder.ts'
import type { RunNotice } from './run.ts'
import type { Sessions } from './session.ts'
import type { Source } from './source.ts'
import { plural } from './std/text.ts'
import type { Listening } from './telemetry.ts'

const SHOWN = 5

/**
 * Gives what is worth knowing of a run although it is no fault of it.
 * @param before what was known when it began
 * @param data may say what of it could not be taken over as it was
 */
export function noticesOf(
  { calls, arrived, late }: Recording,
  listening: Listening | undefined,
  sessions: Sessions | undefined,
  before: readonly RunNotice[] = [],
  data: object = {},
): { readonly notices?: readonly RunNotice[] } {
  const notices: RunNotice[] = [...before]
  const { mended = [] } = data as Partial<Source>
  if (mended.length > 0) {
    const rest = mended.length > SHOWN ? `; and ${mended.length - SHOWN} more` : ''
    const message = `the data was mended while it was read: ${mended.slice(0, SHOWN).join('; ')}${rest}`
    notices.push({ code: 'DATA_MENDED', message })
  }
  if (listening?.foreign && calls > 0 && arrived === 0) notices.push({ code: 'SPANS_MISSING', message: missing() })
  if (late > 0) {
    const message = `${plural(late, 'span')} began after ${late === 1 ? 'its row had ended, and is' : 'their rows had ended, and are'} in no trace`
    notices.push({ code: 'SPANS_LATE', message })
  }
  const without = sessions?.without ?? 0
  if (without > 0) {
    const message = `${plural(without, 'row')} ${without === 1 ? 'has' : 'have'} no session id, and no scorer of sessions has seen ${without === 1 ? 'it' : 'them'}`
    notices.push({ code: 'ROWS_WITHOUT_SESSION', message })
  }
  return notices.length > 0 ? { notices } : {}
}

function missing(): string {
  const found = 'the app has an OpenTelemetry provider, but none of its spans has reached a trace'
  return hasProcessor()
    ? `${found}: it opened none while rows were evaluated, its sampler left them out, or its EvaluateSpanProcessor belongs to another provider`
    : `${found}: add new EvaluateSpanProcessor() from vitest-evaluate/otel to its span processors`
}
