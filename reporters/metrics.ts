import type { RunReport } from '../src/reporter.ts'
import { label } from './escape.ts'

/** Renders figures as OpenMetrics text, which GitLab compares with the target branch's in its metrics report. */
export function renderMetrics(reports: readonly RunReport[]): string {
  const figures: string[] = []
  const gates: string[] = []
  const names = new Map<string, number>()
  for (const { run } of reports) {
    // A series may stand there once only.
    const nth = (names.get(run.name) ?? 0) + 1
    names.set(run.name, nth)
    const name = label(nth === 1 ? run.name : `${run.name} #${nth}`)
    for (const column of run.columns) {
      for (const [aggregation, value] of Object.entries(column.aggregates)) {
        if (Number.isFinite(value))
          figures.push(`evaluation{run="${name}",metric="${label(`${column.name}/${aggregation}`)}"} ${value}`)
      }
    }
    for (const finding of run.findings ?? []) {
      const { kind, metric } = finding.gate
      const value = finding.verdict === 'pass' ? 1 : finding.verdict === 'fail' ? 0 : 0.5
      gates.push(`evaluation_gate{run="${name}",gate="${kind}",metric="${label(metric)}"} ${value}`)
    }
  }
  const family = (type: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [`# TYPE ${type} gauge`, ...new Set(lines)]
  return [...family('evaluation', figures), ...family('evaluation_gate', gates), '# EOF', ''].join('\n')
}
