import type { Finding, Verdict } from '../src/finding.ts'
import type { Screen } from '../src/reporter.ts'
import type { RunRecord } from '../src/run.ts'
import { plural, visible } from '../src/std/text.ts'
import { short } from './number.ts'
import { colors, fit, hanging, wrap } from './screen.ts'

/** What gates say, one after the other, the worst first. */

const MARKS: Readonly<Record<Verdict, string>> = { pass: '✓', fail: '✗', inconclusive: '?' }
const ORDER: readonly Verdict[] = ['fail', 'inconclusive', 'pass']
const MAX_FINDINGS = 40
const MAX_ROWS = 5
const MAX_LINES = 4

/** Gives findings with those that matter most first, each kind in the order of the gates. */
export function worstFirst(findings: readonly Finding[]): Finding[] {
  const rank = ({ verdict, blocks }: Finding): number => ORDER.indexOf(verdict) * 2 - Number(blocks)
  return [...findings].sort((a, b) => rank(a) - rank(b))
}

/** Gives a count of each verdict: "1 failed, 2 inconclusive, 3 passed". */
export function tallied(findings: readonly Finding[]): string {
  const words: Readonly<Record<Verdict, string>> = { fail: 'failed', inconclusive: 'inconclusive', pass: 'passed' }
  const counts = ORDER.map(
    (verdict) => [findings.filter((one) => one.verdict === verdict).length, words[verdict]] as const,
  )
  return counts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(', ')
}

/** Gives what a finding has to add to its sentence: what its rows would show, and the rows to look at. */
export function details({ verdict, detectable, worst, worstCount, estimate }: Finding): string[] {
  const lines: string[] = []
  if (verdict !== 'fail' && detectable !== undefined && estimate !== undefined)
    lines.push(`would show a change for the worse of ${short(detectable)}`)
  if (worst && worst.length > 0) {
    const named = worst.slice(0, MAX_ROWS).map(({ index }) => String(index + 1))
    const more = (worstCount ?? worst.length) > named.length ? ', …' : ''
    lines.push(`${plural(worstCount ?? worst.length, 'row')} to look at: ${named.join(', ')}${more}`)
  }
  return lines
}

/** Gives the lines of a run's findings; none where it has no gates. */
export function findingLines(run: RunRecord, screen: Screen): string[] {
  const { findings = [], baseline } = run
  if (findings.length === 0) return []
  const { bold, dim, green, red, yellow } = colors(screen)
  const styles = { pass: green, fail: red, inconclusive: yellow }
  const lines = [bold(fit(`Gates: ${tallied(findings)}`, screen.width))]
  const quarantined = findings[0]?.quarantined
  if (quarantined) lines.push(dim(fit(`${plural(quarantined, 'row')} in quarantine not counted`, screen.width)))
  if (baseline) lines.push(...wrap(visible(against(run)), screen.width, 2).map((text) => dim(text)))
  for (const finding of worstFirst(findings).slice(0, MAX_FINDINGS)) {
    const { verdict, message } = finding
    const mark = [[`${MARKS[verdict]} `, styles[verdict]]] as const
    lines.push(...hanging(mark, message, screen, MAX_LINES))
    for (const detail of details(finding)) lines.push(dim(fit(`  ${detail}`, screen.width)))
  }
  const rest = findings.length - MAX_FINDINGS
  if (rest > 0) lines.push(dim(fit(`… ${plural(rest, 'more gate')}`, screen.width)))
  return lines
}

/** Says what a run was held against. */
export function against({ baseline }: RunRecord): string {
  if (!baseline) return ''
  if (baseline.how === 'none') return `no baseline: ${baseline.note}`
  const commit = baseline.commit === undefined ? '' : ` at ${baseline.commit.slice(0, 8)}`
  return `held against ${baseline.runId}${commit}, ${baseline.note}`
}
