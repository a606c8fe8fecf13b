import type { MonitorFigures, MonitorStatus, ScorerStanding } from '../src/status.ts'

/** How monitoring stands as Prometheus' text format 0.0.4. */

/** The `Content-Type` of what `renderPrometheus` gives. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const PREFIX = 'vitest_evaluate_monitor_'

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly samples: readonly (readonly [labels: Readonly<Record<string, string>>, value: number | undefined])[]
}

/** Renders how monitoring stands, and what only the process that monitors knows. */
export function renderPrometheus(status: MonitorStatus, figures: MonitorFigures = {}): string {
  const families = [...scorerFamilies(status), ...processFamilies(status, figures)]
  return families
    .flatMap(familyLines)
    .map((text) => `${text}\n`)
    .join('')
}

function scorerFamilies({ scorers }: MonitorStatus): Family[] {
  const each = (
    name: string,
    type: Family['type'],
    help: string,
    of: (one: ScorerStanding) => number | undefined,
  ): Family => ({
    name,
    type,
    help,
    samples: scorers.map((one) => [labelsOf(one), of(one)]),
  })
  const progress = (name: keyof ScorerStanding['registration']['progress'], help: string, as: string = name): Family =>
    each(`${as}_total`, 'counter', help, ({ registration }) => registration.progress[name])
  const states = ['waiting', 'retrying', 'claimed', 'done', 'dead'] as const
  return [
    each(
      'sample_rate',
      'gauge',
      'Share of traces that the scorer sees; 0 while it is stopped.',
      ({ registration }) => registration.sampleRate,
    ),
    progress('examined', 'Traces or sessions that were looked at.'),
    progress('sampled', 'Traces or sessions that were sampled.'),
    progress('unfit', 'Sampled, but not what the filter wants.'),
    progress('scored', 'Traces or sessions that were scored.'),
    progress('errors', 'Times that scoring failed, those that were tried again included.'),
    progress('usd', 'What the models of the scorer cost, US dollars.', 'cost_usd'),
    each('lag_seconds', 'gauge', 'Age of the oldest work that is due and not done.', ({ lagMs }) => lagMs / 1_000),
    each('last_scored_timestamp_seconds', 'gauge', 'When something was scored last.', ({ registration }) =>
      registration.progress.lastAt > 0 ? registration.progress.lastAt / 1_000 : undefined,
    ),
    each('dead_letters', 'gauge', 'Work that failed too often.', ({ dead }) => dead),
    {
      name: 'queue_units',
      type: 'gauge',
      help: 'Traces or sessions by how their scoring stands.',
      samples: scorers.flatMap((one) => states.map((state) => [{ ...labelsOf(one), state }, one[state]] as const)),
    },
  ]
}

function processFamilies({ monitors }: MonitorStatus, { receiver, usdToday, usdBudget }: MonitorFigures): Family[] {
  const one = (name: string, type: Family['type'], help: string, value: number | undefined): Family => ({
    name,
    type,
    help,
    samples: [[{}, value]],
  })
  const alive = monitors.filter(({ isAlive }) => isAlive).length
  return [
    one('monitors', 'gauge', 'Monitors that run on this store.', alive),
    one('usd_today', 'gauge', 'What judges have spent of the budget since midnight UTC, US dollars.', usdToday),
    one('usd_budget', 'gauge', 'What models may cost per day, US dollars.', usdBudget),
    one('receiver_requests_total', 'counter', 'Requests that the receiver has answered.', receiver?.requests),
    one('receiver_spans_total', 'counter', 'Spans that were received.', receiver?.spans),
    one('receiver_rejected_spans_total', 'counter', 'Spans that could not be taken.', receiver?.rejected),
    one('receiver_deferred_total', 'counter', 'Requests that were told to come again later.', receiver?.deferred),
    one('receiver_waiting_requests', 'gauge', 'Requests that wait for the store.', receiver?.waiting),
    one('receiver_waiting_bytes', 'gauge', 'Bytes of requests that wait for the store.', receiver?.waitingBytes),
  ]
}

function labelsOf({ registration }: ScorerStanding): Record<string, string> {
  return { experiment: registration.experiment, scorer: registration.name }
}

function familyLines({ name, type, help, samples }: Family): string[] {
  const known = samples.filter(([, value]) => value !== undefined && Number.isFinite(value))
  if (known.length === 0) return []
  return [
    `# HELP ${PREFIX}${name} ${help}`,
    `# TYPE ${PREFIX}${name} ${type}`,
    ...known.map(([labels, value]) => `${PREFIX}${name}${labelText(labels)} ${value}`),
  ]
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** What the format asks for and no more: another name would be another series. */
function escaped(text: string): string {
  return text.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
