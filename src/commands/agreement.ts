import { type Agreement, agreement } from '../agreement.ts'
import { EvaluationError } from '../errors.ts'
import { openRun } from '../open.ts'
import type { Share } from '../std/agreement.ts'
import type { Interval } from '../std/stats.ts'
import { plural, visible } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/**
 * Says how far the judges of a run agree with people.
 * @param which a run (`latest`, id, name, exported file)
 */
export async function showAgreement(
  which: string,
  options: Shared & { readonly name?: string },
  output: Output,
): Promise<void> {
  const run = await openRun(which, storeOption(options))
  const names = options.name === undefined ? Object.keys(run.columns) : [options.name]
  const all: Agreement[] = []
  for (const name of names) all.push(await agreement(run, name))
  const labelled = all.filter(({ pairs, unscored }) => pairs + unscored > 0)
  if (labelled.length === 0) {
    const what = options.name === undefined ? 'any of its columns' : `"${options.name}"`
    throw new EvaluationError('DATA_EMPTY', `Cannot tell the agreement in ${run.id}: nobody has judged ${what}`, {
      hint: 'give its rows an expectation of the same name, or log a Feedback of that name whose source is HUMAN',
    })
  }
  if (options.json) printJson(output, labelled)
  else output.print(labelled.map(agreementText).join('\n\n'))
}

/** Gives agreement for people: figures with intervals, then the confusion matrix. */
export function agreementText(one: Agreement): string {
  const { name, pairs, unlabelled, unscored, accuracy, kappa, alpha, sensitivity, specificity } = one
  const counted = [
    plural(pairs, 'row with both verdicts', 'rows with both verdicts'),
    ...(unscored > 0 ? [`${unscored} with a person's only`] : []),
    ...(unlabelled > 0 ? [`${unlabelled} with the judge's only`] : []),
  ]
  const figures: [string, string][] = [
    ['accuracy', shareText(accuracy)],
    ["Cohen's kappa", `${number(kappa.value)}${kappa.interval ? `  ${between(kappa.interval)}` : ''}`],
    ["Krippendorff's alpha", number(alpha)],
    ...(sensitivity
      ? ([['sensitivity', `${shareText(sensitivity)} of what people passed`]] as [string, string][])
      : []),
    ...(specificity
      ? ([['specificity', `${shareText(specificity)} of what people failed`]] as [string, string][])
      : []),
  ]
  const width = Math.max(...figures.map(([label]) => label.length))
  return [
    `${visible(name)}: ${counted.join(', ')}`,
    ...figures.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`),
    ...matrixLines(one),
  ].join('\n')
}

const MAX_LABELS = 12

function matrixLines({ labels, matrix, pairs }: Agreement): string[] {
  if (pairs === 0) return []
  if (labels.length > MAX_LABELS) return [`  ${labels.length} different verdicts: no matrix`]
  const shown = labels.map(visible)
  const table = [['people \\ judge', ...shown], ...matrix.map((row, i) => [shown[i] ?? '', ...row.map(String)])]
  const widths = table[0]?.map((_, j) => Math.max(...table.map((row) => row[j]?.length ?? 0))) ?? []
  const lines = table.map((row) =>
    row.map((cell, j) => (j === 0 ? cell.padEnd(widths[j] ?? 0) : cell.padStart(widths[j] ?? 0))).join('  '),
  )
  return ['', ...lines.map((line) => `  ${line}`)]
}

function shareText({ value, count, of, interval }: Share): string {
  return value === undefined ? 'none to tell from' : `${number(value)}  ${between(interval)}  ${count} of ${of}`
}

function between({ low, high }: Interval): string {
  return `[${number(low)}, ${number(high)}]`
}

function number(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? 'undefined' : value.toFixed(3)
}
