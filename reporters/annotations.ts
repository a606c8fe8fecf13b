import type { RunReport } from '../src/reporter.ts'
import { plural } from '../src/std/text.ts'
import { commandMessage, commandProperty } from './escape.ts'
import { gateName, judgedOf } from './review.ts'

/** GitHub shows ten errors and ten warnings of a step and hides the rest. */
const SHOWN = 10

/** Renders the worst findings as GitHub workflow commands, which become annotations beside the evaluation's line. */
export function renderAnnotations(reports: readonly RunReport[]): string {
  const judged = judgedOf(reports).filter(({ finding: { verdict } }) => verdict !== 'pass')
  const errors = judged.filter(({ finding }) => finding.blocks)
  const warnings = judged.filter(({ finding }) => !finding.blocks)
  return [...commands('error', errors), ...commands('warning', warnings)].join('\n')
}

function commands(level: 'error' | 'warning', judged: ReturnType<typeof judgedOf>): string[] {
  const all = judged.length > SHOWN ? judged.slice(0, SHOWN - 1) : judged
  const lines = all.map(({ report: { run }, finding }) => {
    const { file, line } = run.test ?? {}
    const place =
      file === undefined ? [] : [`file=${commandProperty(file)}`, ...(line === undefined ? [] : [`line=${line}`])]
    const title = `title=${commandProperty(`${run.name}: ${gateName(finding)}`, 200)}`
    return `::${level} ${[...place, title].join(',')}::${commandMessage(finding.message)}`
  })
  const rest = judged.length - all.length
  if (rest > 0) lines.push(`::${level} title=Evaluations::${plural(rest, 'more finding')} in the job summary`)
  return lines
}
