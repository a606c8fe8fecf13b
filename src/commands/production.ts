import { type Command, Option } from 'commander'
import { type AnchorsOptions, anchors } from './anchors.ts'
import { amount, collected, positive, share, whole } from './arguments.ts'
import { type BackfillCommandOptions, backfill } from './backfill.ts'
import { type MonitorCommandOptions, monitor } from './monitor.ts'
import type { Output } from './output.ts'
import { type MonitorReportOptions, type MonitorStatusOptions, monitorReport, monitorStatus } from './quality.ts'
import {
  type ArchiveOptions,
  archive,
  dropScorer,
  type LettersOptions,
  letters,
  registerModule,
  type ScorersOptions,
  type StartOptions,
  scorers,
  startScorer,
  stopScorer,
} from './scorers.ts'

/** The commands for production: `monitor` with what belongs to it, and `backfill`. */

/** Makes a command that takes `--store` and `--json`. */
export type MakeCommand = (name: string, description: string, store?: string, parent?: Command) => Command

export function addProduction(command: MakeCommand, output: Output, onCode: (code: number) => void): void {
  const watching = command(
    'monitor',
    'receive traces of production by OTLP/HTTP and score them, until it is told to end',
    'the store',
  )
    .option('--experiment <name>', 'the experiment of traces that name none; only its scorers work')
    .option('--root <folder>', 'where the modules of scorers are (default: the working directory)')
    .option('--no-receiver', 'only score what others write to the store')
    .option('--host <address>', 'where to listen; beyond this machine only with a token', '127.0.0.1')
    .option('--port <n>', 'the port to listen on', whole, 4318)
    .option('--token <token>', 'what senders have to show (default: VITEST_EVALUATE_TOKEN)')
    .option('--once', 'score what is due, and end; receives nothing')
    .option('--concurrency <n>', 'traces in work at once, for every scorer (default: 16)', positive)
    .option('--budget <usd>', 'what judges may cost a day (UTC), US dollars', amount)
    .option('--judge-model <address>', 'the model of judges that name none')
    .option('--scorer-timeout <s>', 'seconds for one trace', amount, 120)
    .option(
      '--completion-buffer <s>',
      'a trace without an end counts as complete after so many quiet seconds',
      amount,
      300,
    )
    .option('--session-buffer <s>', 'a session counts as complete after so many quiet seconds', amount, 300)
    .option('--hang-timeout <s>', 'a scorer that holds its process up for longer is ended', positive, 30)
    .action(async (options: MonitorCommandOptions) => {
      onCode(await monitor(options, output))
    })

  const part = (name: string, description: string): Command =>
    command(name, description, 'the store', watching).option(
      '--experiment <name>',
      'the experiment (default: the one in force)',
    )

  part('scorers', 'list registered scorers').action((_, command_: Command) =>
    scorers(all<ScorersOptions>(command_), output),
  )
  part('register', 'register every scorer that a module exports')
    .argument('<module>', 'such as scorers.ts')
    .option('--rate <rate>', 'start them, too, for this share of the traces', share)
    .option('--filter <filter>', 'only for traces that fit')
    .action((module: string, _, command_: Command) => registerModule(module, all<StartOptions>(command_), output))
  part('start', 'start a registered scorer, or change what it sees')
    .argument('<scorer>', 'its registered name')
    .option('--rate <rate>', 'the share of traces that it sees (default: 1, or what it was)', share)
    .option('--filter <filter>', 'only traces that fit; empty for all')
    .action((name: string, _, command_: Command) => startScorer(name, all<StartOptions>(command_), output))
  part('stop', 'stop a registered scorer; its registration stays')
    .argument('<scorer>', 'its registered name')
    .action((name: string, _, command_: Command) => stopScorer(name, all<ScorersOptions>(command_), output))
  part('delete', 'remove a registered scorer; what it has said stays')
    .argument('<scorer>', 'its registered name')
    .action((name: string, _, command_: Command) => dropScorer(name, all<ScorersOptions>(command_), output))
  part('archive', 'append traces with their assessments to a Delta Lake table, on a schedule')
    .argument('[folder]', 'the table; made where there is none. Without it: how archives stand')
    .option('--every <minutes>', 'how often a monitor appends (default: 15)', amount)
    .option('--now', 'append what is new at once')
    .option('--off', 'stop archiving')
    .action((folder: string | undefined, _, command_: Command) =>
      archive(folder, all<ArchiveOptions>(command_), output),
    )
  part('status', 'show how far every scorer has come, and what waits')
    .option('--scorer <name>', 'only this one')
    .action((_, command_: Command) => monitorStatus(all<MonitorStatusOptions>(command_), output))
  part('report', 'show quality over time, and whether it has drifted; exit 0 ok, 1 drift, 2 not enough, 3 error')
    .option('--scorer <name>', 'only this one, any number of times', collected)
    .option('--from <time>', 'such as 7d (ago, the default), 12h or 2026-01-05')
    .option('--to <time>', 'the same (default: now)')
    .option('--window <time>', 'how long a window is, such as 6h (default: a 24th)')
    .option(
      '--reference <reference>',
      'what it is held against: 500 (the first so many values), 2026-01-01..2026-01-08, run:latest',
    )
    .option('--range <range>', 'where numbers lie: 0..100')
    .option('--alpha <share>', 'how often it may cry wolf, over any number of looks (default: 0.05)', share)
    .option('--tolerance <change>', 'a change of the mean that is no drift', amount)
    .addOption(new Option('--alarm <change>', 'what raises an alarm (default: fall)').choices(['fall', 'rise', 'both']))
    .addOption(new Option('--format <format>', 'what to write').choices(['text', 'markdown', 'json']))
    .option('--output <file>', 'where to write it (default: printed)')
    .addOption(new Option('--not-enough <meaning>', 'what too few values mean').choices(['ok', 'fail']))
    .action(async (_, command_: Command) => {
      onCode(await monitorReport(all<MonitorReportOptions>(command_), output))
    })
  part(
    'anchors',
    'ask judges again about the same traces: has the judge changed, or the app? exit 0 no judge, 1 one, 2 no answers, 3 error',
  )
    .argument('[scorers...]', 'registered names (default: every judge of traces that is started)')
    .option('--traces <n>', 'how many are chosen where there are none yet (default: 100)', positive)
    .option('--renew', 'choose other traces')
    .option('--root <folder>', 'where the modules of scorers are (default: the working directory)')
    .option('--budget <usd>', 'what each judge may cost, US dollars', amount)
    .option('--judge-model <address>', 'the model of judges that name none')
    .action(async (names: string[], _, command_: Command) => {
      onCode(await anchors(names, all<AnchorsOptions>(command_), output))
    })
  part('dead', 'list what failed too often, or let it be tried again')
    .option('--scorer <name>', 'only of this one')
    .option('--limit <n>', 'how many at most', positive, 20)
    .option('--replay', 'try it again: a monitor takes it up')
    .option('--trace <id>', 'with --replay: only this trace or session')
    .action((_, command_: Command) => letters(all<LettersOptions>(command_), output))
  watching
    .command('worker', { hidden: true })
    .argument('<settings>')
    .action(async (settings: string) => (await import('./worker.ts')).monitorWorker(settings))

  command('backfill', 'score traces that are there already with registered scorers', 'the store')
    .argument('[scorers...]', 'registered names, each with a rate of its own where written name=0.9')
    .option('--experiment <name>', 'the experiment (default: the one in force)')
    .option('--root <folder>', 'where the modules of scorers are (default: the working directory)')
    .option('--from <time>', 'only requests from then on: 7d (ago, the default), 2026-01-05')
    .option('--to <time>', 'only requests before then (default: now)')
    .option('--dry-run', 'say what there is to do, and what it may cost')
    .option('--resume [id]', 'go on with one that was interrupted (default: the newest)')
    .option('--list', 'list backfills')
    .option('--concurrency <n>', 'traces in work at once, for every scorer (default: 4)', positive)
    .option('--budget <usd>', 'what judges may cost a day (UTC), US dollars', amount)
    .option('--judge-model <address>', 'the model of judges that name none')
    .action(async (names: string[], options: BackfillCommandOptions) => {
      onCode(await backfill(names, options, output))
    })
}

/** Options that stand before the inner command belong to it as well. */
function all<Options>(command: Command): Options {
  return command.optsWithGlobals() as Options
}
