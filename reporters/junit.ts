import type { RunReport } from '../src/reporter.ts'
import { clip, plural } from '../src/std/text.ts'
import { xml } from './escape.ts'
import { details } from './findings.ts'
import { gateName } from './review.ts'

/** GitLab takes files below 30 MB. */
const MAX_BYTES = 20 * 1024 * 1024

/**
 * Renders findings as JUnit XML, a suite per run and a case per gate: what blocks is a failure, what cannot tell and only warns is skipped.
 * GitLab ignores cases of one name, so each has its own.
 */
export function renderJUnit(reports: readonly RunReport[]): string {
  const suites: string[] = []
  let [tests, failures, skipped, size, left] = [0, 0, 0, 0, 0]
  for (const { run } of reports) {
    const { findings = [] } = run
    const names = new Map<string, number>()
    const cases = findings.map((finding) => {
      const base = clip(gateName(finding), 250)
      const nth = (names.get(base) ?? 0) + 1
      names.set(base, nth)
      return testcase(run.name, nth === 1 ? base : `${base} #${nth}`, run.test?.file, finding)
    })
    const failed = findings.filter(({ blocks }) => blocks).length
    const open = findings.filter(({ blocks, verdict }) => !blocks && verdict !== 'pass').length
    const time = (run.totals.wallMs / 1_000).toFixed(3)
    const head = `  <testsuite name="${xml(`${run.name} ${run.id}`, 300)}" tests="${findings.length}" failures="${failed}" skipped="${open}" time="${time}">`
    const suite = [head, ...cases, '  </testsuite>'].join('\n')
    if (size + Buffer.byteLength(suite) > MAX_BYTES) {
      left++
      continue
    }
    size += Buffer.byteLength(suite)
    suites.push(suite)
    tests += findings.length
    failures += failed
    skipped += open
  }
  const note = left > 0 ? [`  <!-- ${plural(left, 'run')} left out for want of room -->`] : []
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="vitest-evaluate" tests="${tests}" failures="${failures}" skipped="${skipped}">`,
    ...suites,
    ...note,
    '</testsuites>',
    '',
  ].join('\n')
}

type Finding = NonNullable<RunReport['run']['findings']>[number]

function testcase(run: string, name: string, file: string | undefined, finding: Finding): string {
  const { verdict, blocks, message } = finding
  const place = file === undefined ? '' : ` file="${xml(file, 300)}"`
  const head = `    <testcase classname="${xml(run, 300)}" name="${xml(name, 300)}"${place}`
  const text = xml([message, ...details(finding)].join('. '))
  if (blocks) return `${head}>\n      <failure message="${xml(message)}">${text}</failure>\n    </testcase>`
  if (verdict !== 'pass') return `${head}>\n      <skipped message="${xml(message)}"/>\n    </testcase>`
  return `${head}>\n      <system-out>${text}</system-out>\n    </testcase>`
}
