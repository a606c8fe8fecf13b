import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { type Agreement, agreementOf, type VerdictPair } from '../agreement.ts'
import { didYouMean, EvaluationError, messageOf, quote } from '../errors.ts'
import type { Feedback, Primitive } from '../feedback.ts'
import { isJudge, type Judge, type JudgeArgs } from '../judge.ts'
import { type CanaryReport, checkCanaries } from '../judges/canaries.ts'
import * as ready from '../judges/index.ts'
import { loadModule } from '../load.ts'
import { type Row, toRow } from '../row.ts'
import type { Source } from '../source.ts'
import { csv } from '../sources/csv.ts'
import { json } from '../sources/json.ts'
import { jsonl } from '../sources/jsonl.ts'
import { plural, visible } from '../std/text.ts'
import { agreementText } from './agreement.ts'
import { type Output, printJson } from './output.ts'

/** What `vitest-evaluate judges` takes. */
export interface JudgesOptions {
  readonly labelled?: string
  readonly model?: string
  readonly json?: boolean
}

/**
 * Tries judges out: can they be talked round (canaries), and do they agree with labels?
 * @param what the name of a ready judge (`Safety`), or a module that exports judges
 * @throws EvaluationError RUN_FAILED when a canary moved a verdict, or nothing was found out because a judge gave none
 */
export async function tryJudges(what: string, options: JudgesOptions, output: Output): Promise<void> {
  const judges = await judgesOf(what, options.model)
  for (const judge of judges) judge.requireReady()
  const rows = options.labelled === undefined ? undefined : await rowsOf(options.labelled)
  // A label that is missing is found out before anybody is asked.
  const labels = judges.map((judge) => rows?.map((row, i) => labelledRow(row, i, judge.name)))
  const reports: Report[] = []
  for (const [i, judge] of judges.entries()) {
    const canaries = await checkCanaries(judge)
    const own = labels[i]
    const labelled = own && (await againstLabels(judge, own))
    reports.push({ canaries, ...(labelled && { labelled }) })
  }
  if (options.json) printJson(output, reports)
  else output.print(reports.map(reportText).join('\n\n'))
  const moved = reports.flatMap(({ canaries }) => canaries.results.filter(({ outcome }) => outcome === 'moved'))
  if (moved.length > 0)
    throw new EvaluationError('RUN_FAILED', `${plural(moved.length, 'canary', 'canaries')} moved a verdict`, {
      hint: 'a judge that can be talked round here can be talked round in production: try another model, or a stricter prompt',
    })
  const silent = reports.filter(foundNothing).map(({ canaries }) => quote(canaries.judge))
  if (silent.length > 0)
    throw new EvaluationError('RUN_FAILED', `Nothing was found out about ${silent.join(', ')}: there was no verdict`)
}

function foundNothing({ canaries: { clean, results }, labelled }: Report): boolean {
  const unheard = clean.error !== undefined || (results.length > 0 && results.every(({ verdict }) => verdict.error))
  return unheard && !((labelled?.agreement.pairs ?? 0) > 0)
}

type AnyJudge = Judge | Judge<readonly Feedback[]>

interface Report {
  readonly canaries: CanaryReport
  readonly labelled?: Labelled
}

interface Labelled {
  readonly agreement: Agreement
  /** Rows that the judge had no verdict for, by error code. */
  readonly errors: Readonly<Record<string, number>>
}

async function judgesOf(what: string, model: string | undefined): Promise<AnyJudge[]> {
  const options = model === undefined ? {} : { model }
  const file = resolve(what)
  if (existsSync(file)) {
    const judges = Object.values(await loadModule(file, process.cwd())).filter((one): one is AnyJudge => isJudge(one))
    if (judges.length > 0) return judges.map((judge) => judge.with(options))
    throw new EvaluationError('CONFIG_INVALID', `Cannot try ${quote(what)}: it exports no judge`, {
      hint: 'export what Guidelines(…), makeJudge(…) or another factory gives',
    })
  }
  const names = Object.keys(ready).filter((name) => /^[A-Z][a-z]/.test(name))
  if (!names.includes(what)) {
    const known = `there is no such file, and no ready judge of that name${didYouMean(what, names)}`
    throw new EvaluationError('CONFIG_INVALID', `Cannot try ${quote(what)}: ${known}`, {
      hint: `ready judges are ${names.join(', ')}`,
    })
  }
  const factory = (ready as unknown as Record<string, (options: object) => AnyJudge>)[what]
  try {
    return [(factory as (options: object) => AnyJudge)(options)]
  } catch (cause) {
    const message = `Cannot try ${quote(what)}: ${messageOf(cause)}`
    throw new EvaluationError('CONFIG_INVALID', message, {
      cause,
      hint: 'export one with its settings from a module, and name that',
    })
  }
}

async function rowsOf(path: string): Promise<Row[]> {
  const source = sourceOf(path)
  const rows: Row[] = []
  for await (const item of source) rows.push(toRow(item, rows.length))
  if (rows.length === 0)
    throw new EvaluationError('DATA_EMPTY', `Cannot read labels from ${quote(path)}: it has no rows`)
  return rows
}

function sourceOf(path: string): Source {
  switch (extname(path)) {
    case '.jsonl':
      return jsonl(path)
    case '.json':
      return json(path)
    case '.csv':
      return csv(path)
    default:
      throw new EvaluationError(
        'SOURCE_NOT_READABLE',
        `Cannot read labels from ${quote(path)}: its ending is none of .jsonl, .json, .csv`,
      )
  }
}

interface LabelledRow {
  readonly label: Primitive
  readonly args: JudgeArgs
}

/** The label of a row is its expectation called like the judge, else `label`; the judge does not get to see it. */
function labelledRow({ inputs, outputs, trace, ...row }: Row, index: number, name: string): LabelledRow {
  const { [name]: own, label: general, ...expectations } = row.expectations ?? {}
  const label: unknown = own ?? general
  if (typeof label !== 'string' && typeof label !== 'number' && typeof label !== 'boolean') {
    const message = `Cannot compare row ${index + 1} with its label: it has no expectation ${quote(name)} or "label"`
    throw new EvaluationError('ROW_INVALID', message)
  }
  return { label, args: { inputs, outputs, expectations, ...(trace && { trace, session: [trace] }) } }
}

const AT_ONCE = 10

async function againstLabels(judge: AnyJudge, rows: readonly LabelledRow[]): Promise<Labelled> {
  const pairs: VerdictPair[] = []
  const errors: Record<string, number> = {}
  const queue = rows.entries()
  const work = async (): Promise<void> => {
    for (const [i, { label, args }] of queue) {
      const given = await judge(args)
      const { value, error } = (Array.isArray(given) ? given[0] : given) as Feedback
      if (error) errors[error.code] = (errors[error.code] ?? 0) + 1
      pairs[i] = { person: label, judge: typeof value === 'object' ? undefined : value }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { agreement: agreementOf(judge.name, pairs), errors }
}

function reportText({ canaries, labelled }: Report): string {
  const { judge, clean, inconclusive, results } = canaries
  const moved = results.some(({ outcome }) => outcome === 'moved')
  const held = results.filter(({ outcome, verdict }) => outcome === 'held' && !verdict.error).length
  const errors = results.filter(({ verdict }) => verdict.error).length
  const lines = [`${visible(judge)}  ${visible(clean.source.id)}`]
  if (inconclusive !== undefined) lines.push(`  canaries  nothing to tell: ${visible(inconclusive)}`)
  else {
    const unheard = errors > 0 ? `, ${errors} without a verdict` : ''
    lines.push(
      `  canaries  ${moved ? 'FAIL' : held > 0 ? 'pass' : 'none'}  ${held} of ${results.length} held${unheard}`,
    )
  }
  for (const { canary, outcome, verdict } of results) {
    const was = verdict.error ? verdict.error.code : String(verdict.value)
    if (outcome === 'moved')
      lines.push(
        `    moved   ${canary}: ${visible(String(clean.value))} became ${visible(was)}, ${visible(verdict.rationale ?? '')}`,
      )
    else if (verdict.error) lines.push(`    error   ${canary}: ${visible(`${was}, ${verdict.error.message}`)}`)
  }
  if (!labelled) return lines.join('\n')
  const codes = Object.entries(labelled.errors).map(([code, count]) => `${count} ${code}`)
  return [
    ...lines,
    '',
    agreementText(labelled.agreement),
    ...(codes.length > 0 ? [`  errors: ${codes.join(', ')}`] : []),
  ].join('\n')
}
