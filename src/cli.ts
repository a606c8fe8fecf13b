import { createRequire } from 'node:module'
import { Command, CommanderError, Option } from 'commander'
import { showAgreement } from './commands/agreement.ts'
import { collected, positive } from './commands/arguments.ts'
import { type CommentOptions, comment } from './commands/comment.ts'
import { compare } from './commands/compare.ts'
import { exportRun } from './commands/export.ts'
import { type FeedbackOptions, giveFeedback } from './commands/feedback.ts'
import { type FlakyOptions, flaky } from './commands/flaky.ts'
import { GATE_CODES, type GateCommandOptions, gate } from './commands/gate.ts'
import { importFiles } from './commands/import.ts'
import { tryJudges } from './commands/judges.ts'
import { merge } from './commands/merge.ts'
import type { Output, Shared } from './commands/output.ts'
import { addProduction } from './commands/production.ts'
import { REPORT_CODES } from './commands/quality.ts'
import { FORMATS, type ReportOptions, report } from './commands/report.ts'
import { runs } from './commands/runs.ts'
import { search } from './commands/search.ts'
import { show } from './commands/show.ts'
import { messageOf } from './errors.ts'

const { version: VERSION } = createRequire(import.meta.url)('vitest-evaluate/package.json') as { version: string }

/** The part of `process` that a command line needs: handed in, so that it can be tested. */
export interface Terminal {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: { write(text: string): unknown; readonly columns?: number; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown }
}

/**
 * Runs one command.
 * @returns the exit code: 0, or 1 when the command failed or was not understood; for `gate` 0 pass, 1 a gate failed, 2 a gate could not tell and
 * that counts as failure, 3 the command failed or was not understood
 */
export async function run(terminal: Terminal): Promise<number> {
  const { stdout, stderr, env } = terminal
  const output: Output = {
    screen: {
      width: stdout.columns ?? (Number(env.COLUMNS) || 100),
      colors: !env.NO_COLOR && (stdout.isTTY === true || Boolean(env.FORCE_COLOR)),
      // The console of Linux has no blocks, and a locale without UTF-8 nothing but ASCII.
      blocks: env.TERM !== 'linux' && /utf-?8|^$/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || ''),
    },
    print: (text) => void stdout.write(`${text}\n`),
  }
  const program = new Command('vitest-evaluate').exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
  })
  let code = 0
  addCommands(program, output, terminal, (given) => {
    code = given
  })
  // Whoever gates or watches has to tell what is bad from a command that did not work.
  const [, , first, second] = terminal.argv
  const watches = first === 'monitor' && (second === 'report' || second === 'anchors')
  const fault = first === 'gate' ? GATE_CODES.error : watches ? REPORT_CODES.error : 1
  try {
    await program.parseAsync([...terminal.argv])
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : fault
    stderr.write(`${messageOf(error)}\n`)
    return fault
  }
}

/** A command takes over what its program does about output and exit when it is made: those have to be settled by then. */
function addCommands(program: Command, output: Output, terminal: Terminal, onCode: (code: number) => void): void {
  program.description('Looks at stored evaluations, and at production').version(VERSION)
  const command = (name: string, description: string, store = 'the store to read', parent = program): Command =>
    parent
      .command(name)
      .description(description)
      .option('--store <file>', `${store} (default: VITEST_EVALUATE_STORE, else .vitest/evaluate/store.sqlite)`)
      .option('--json', 'print JSON')

  command('runs', 'list runs, newest first')
    .option('--experiment <name>', 'only runs of this experiment')
    .option('--name <name>', 'only runs of this name')
    .option('--limit <n>', 'how many at most', positive, 20)
    .action((options) => runs(options, output))

  command('show', 'show a run, or everything about one of its rows')
    .argument('<run or trace>', 'latest, a run id, a name, an exported file, or a trace id')
    .argument('[row]', 'number of a row, from 1, or its id')
    .action((what: string, row: string | undefined, options: Shared) => show(what, row, options, output))

  command('compare', 'hold a run against an earlier one, column by column')
    .argument('<before>', 'latest, a run id, a name or an exported file')
    .argument('<after>', 'the run to hold against it')
    .action((before: string, after: string, options: Shared) => compare(before, after, options, output))

  command('gate', 'ask the gates of runs, or others, about them; exit 0 pass, 1 failed, 2 inconclusive, 3 error')
    .argument('[runs...]', 'latest, run ids, names or exported files (default: latest)')
    .option(
      '--baseline <run>',
      'the run to hold them against (default: the one that they were, else the one that git names)',
    )
    .option('--no-baseline', 'hold them against nothing')
    .option('--target <branch>', 'the branch that changes go into')
    .option(
      '--gate <gate>',
      'a gate instead of theirs, any number of times: correct:floor=0.9, correct:margin=0.03, safe:must, budget:errorRate=0.01',
      collected,
    )
    .addOption(new Option('--inconclusive <policy>', 'what a gate that cannot tell means').choices(['warn', 'fail']))
    .action(async (runs: string[], options: GateCommandOptions) => {
      onCode(await gate(runs, options, output))
    })

  command('report', 'write runs for where changes are reviewed')
    .argument('[runs...]', 'latest, run ids, names or exported files (default: what was evaluated last)')
    .addOption(new Option('--format <format>', 'what to write').choices(FORMATS).default('markdown'))
    .option('--output <file>', 'where to write it (default: printed)')
    .action((runs: string[], options: ReportOptions) => report(runs, options, output))

  command('comment', 'post runs as one comment on a pull request, or update the one that is there')
    .argument('[runs...]', 'latest, run ids, names or exported files (default: what was evaluated last)')
    .option('--repo <owner/name>', 'the repository (default: GITHUB_REPOSITORY)')
    .option('--number <n>', 'the pull request (default: the one of the CI job)', positive)
    .option('--key <key>', 'tells comments of several jobs apart', 'default')
    .option('--body <file>', 'write what would be posted to a file too')
    .action((runs: string[], options: CommentOptions) => comment(runs, options, output, terminal))

  command('flaky', 'show the rows of an evaluation whose verdicts differ from run to run')
    .argument('<run>', 'latest, a run id or the name of an evaluation')
    .option('--runs <n>', 'how many runs to look at, the newest first', positive, 10)
    .option('--limit <n>', 'how many rows at most', positive, 20)
    .action((which: string, options: FlakyOptions) => flaky(which, options, output))

  command('export', 'write a run to a .jsonl, .arrow, .csv or .parquet file, or traces for other systems')
    .argument('<run>', 'latest, a run id, a name or an exported file; with --format also: all')
    .argument('<path>', 'the file to write')
    .option('--format <format>', 'write traces: otlp, otlp-protobuf or mlflow')
    .option('--filter <filter>', 'only traces that fit, with --format')
    .option('--experiment <name>', 'only traces of this experiment, with --format and all')
    .action((which: string, path: string, options) => exportRun(which, path, options, output))

  command('agreement', 'say how far the judges of a run agree with people')
    .argument('<run>', 'latest, a run id, a name or an exported file')
    .option('--name <column>', 'only this column')
    .action((which: string, options) => showAgreement(which, options, output))

  command('judges', 'try a judge out: can it be talked round, does it agree with labels?')
    .argument('<judge>', 'a ready judge, such as Safety, or a module that exports judges')
    .option(
      '--labelled <file>',
      'rows with labels (.jsonl, .json, .csv): an expectation called like the judge, or "label"',
    )
    .option('--model <address>', 'the model to ask, such as openai:/gpt-4.1-mini')
    .action((what: string, options) => tryJudges(what, options, output))

  command('import', 'bring traces into the store: files (MLflow, OTLP, Langfuse, dumps of spans), or archives')
    .argument('<files...>', 'the files to read, globs, or the folder of an archive')
    .option('--experiment <name>', 'the experiment that they become part of; of archives: the one that is taken')
    .option('--format <format>', 'what the files are, where their look does not tell')
    .option('--from <time>', 'of archives: only requests from then on')
    .option('--to <time>', 'of archives: only requests before then')
    .option('--filter <filter>', 'of archives: only traces that fit')
    .action((files: string[], options) => importFiles(files, options, output))

  command(
    'feedback',
    'say what you think of a trace, correct a verdict, take one back, or list what has been said',
    'the store',
  )
    .argument('<trace or assessment>', 'the id of a trace, or of one assessment on it')
    .option('--name <name>', "what is judged; the name of a scorer's Feedback corrects that")
    .option('--value <value>', 'the verdict: yes, true, 0.5, or any text; JSON where it is JSON')
    .option('--rationale <text>', 'why')
    .option('--as <person>', 'who says so (default: VITEST_EVALUATE_USER, else the user of git, else of the system)')
    .option('--run <run>', 'the run whose Feedback it is, where the trace was evaluated by several')
    .option('--new', 'log it under a name that looks mistyped all the same')
    .option('--delete', 'take back: what it replaced is valid again')
    .option('--list', 'list everything that was ever said; also what happens without --value and --delete')
    .action((target: string, options: FeedbackOptions) => giveFeedback(target, options, output))

  command('merge', 'bring the runs of several stores, such as those of shards, into one', 'the store to write')
    .argument('<stores...>', 'the files to read')
    .action((files: string[], options: Shared) => merge(files, options, output))

  addProduction(command, output, onCode)

  command('search', 'find traces by a filter')
    .argument('[filter]', "such as \"feedback.safety = 'no' AND tag.env = 'prod'\"")
    .option('--run <run>', 'only traces of this run; feedback is then the one of this run')
    .option('--experiment <name>', 'only traces of this experiment')
    .option('--order-by <terms>', 'such as "execution_time_ms DESC, tag.env"')
    .option('--limit <n>', 'how many at most', positive, 20)
    .action((filter: string | undefined, options) => search(filter, options, output))
}
