import { createRequire } from 'node:module'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { showAgreement } from './commands/agreement.ts'
import { exportRun } from './commands/export.ts'
import { importFiles } from './commands/import.ts'
import { tryJudges } from './commands/judges.ts'
import { merge } from './commands/merge.ts'
import type { Output, Shared } from './commands/output.ts'
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
 * @returns the exit code: 0, or 1 when the command failed or was not understood
 */
export async function run(terminal: Terminal): Promise<number> {
  const { stdout, stderr, env } = terminal
  const output: Output = {
    screen: {
      width: stdout.columns ?? (Number(env.COLUMNS) || 100),
      colors: !env.NO_COLOR && (stdout.isTTY === true || Boolean(env.FORCE_COLOR)),
    },
    print: (text) => void stdout.write(`${text}\n`),
  }
  const program = new Command('vitest-evaluate').exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
  })
  addCommands(program, output)
  try {
    await program.parseAsync([...terminal.argv])
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    stderr.write(`${messageOf(error)}\n`)
    return 1
  }
}

/** A command takes over what its program does about output and exit when it is made: those have to be settled by then. */
function addCommands(program: Command, output: Output): void {
  program.description('Looks at stored evaluations').version(VERSION)
  const command = (name: string, description: string, store = 'the store to read'): Command =>
    program
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

  command('import', 'bring traces of files into the store: MLflow, OTLP, Langfuse, dumps of spans')
    .argument('<files...>', 'the files to read, or globs')
    .option('--experiment <name>', 'the experiment that they become part of')
    .option('--format <format>', 'what the files are, where their look does not tell')
    .action((files: string[], options) => importFiles(files, options, output))

  command('merge', 'bring the runs of several stores, such as those of shards, into one', 'the store to write')
    .argument('<stores...>', 'the files to read')
    .action((files: string[], options: Shared) => merge(files, options, output))

  command('search', 'find traces by a filter')
    .argument('[filter]', "such as \"feedback.safety = 'no' AND tag.env = 'prod'\"")
    .option('--run <run>', 'only traces of this run; feedback is then the one of this run')
    .option('--experiment <name>', 'only traces of this experiment')
    .option('--order-by <terms>', 'such as "execution_time_ms DESC, tag.env"')
    .option('--limit <n>', 'how many at most', positive, 20)
    .action((filter: string | undefined, options) => search(filter, options, output))
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be an integer from 1')
  return value
}
