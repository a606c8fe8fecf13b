import type { Finding } from '../src/finding.ts'
import type { RunReport } from '../src/reporter.ts'
import { worstFirst } from './findings.ts'

/** What all forms for reviewers have in common. */

/** A gate's word on a run. */
export interface Judged {
  readonly report: RunReport
  readonly finding: Finding
}

/** Gives the findings of all runs, the worst first. */
export function judgedOf(reports: readonly RunReport[]): Judged[] {
  const runOf = new Map(
    reports.flatMap((report) => (report.run.findings ?? []).map((finding) => [finding, report] as const)),
  )
  return worstFirst([...runOf.keys()]).map((finding) => ({ finding, report: runOf.get(finding) as RunReport }))
}

/** Gives the name of a gate: `margin of correct/mean`. */
export function gateName({ gate: { kind, metric, where } }: Finding): string {
  return `${kind} of ${metric}${where === undefined ? '' : ` where ${where}`}`
}
