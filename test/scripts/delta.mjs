// Writes a Delta table, reads it with the `deltalake` package for Python, lets that change it, and reads it again. Without Python or
// a package index it says so and passes.
import { deepStrictEqual } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const dist = new URL('../../dist/src/archives/', import.meta.url)
if (!existsSync(fileURLToPath(dist))) throw new Error('there is no dist/: npm run build')
const { delta } = await import(new URL('delta.js', dist))
const { COLUMNS, dayOf, toCells } = await import(new URL('columns.js', dist))

const work = mkdtempSync(join(tmpdir(), 'delta-'))
const run = (command, ...args) => spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 30, timeout: 600_000 })

/** Gives the Python of a fresh environment with the package, or undefined after saying why there is none. */
function python() {
  const skipped = (why, { error, stderr = '' }) => {
    const last = String(error?.message ?? stderr)
      .trim()
      .split('\n')
      .at(-1)
    console.log(`SKIPPED: the Delta table was not checked by another reader, since ${why}: ${last}`)
  }
  const environment = join(work, 'venv')
  const made = run('python3', '-m', 'venv', environment)
  if (made.status !== 0) return skipped('python3 cannot make an environment', made)
  const program = join(environment, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const installed = run(
    program,
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    'deltalake>=1.0',
    'pyarrow',
  )
  if (installed.status !== 0) return skipped('pip cannot install "deltalake" and "pyarrow"', installed)
  return (verb) => {
    const done = run(program, fileURLToPath(new URL('delta.py', import.meta.url)), verb, join(work, 'table'))
    if (done.status !== 0) throw new Error(`deltalake failed:\n${done.stderr}`)
    return JSON.parse(done.stdout)
  }
}

const NOON = Date.UTC(2026, 10, 21, 12)
const DAY = 86_400_000

function archived(nth, version, requestTimeMs, more = {}) {
  const id = `tr-${nth}`
  const assessment = (name, rest) => ({
    id: `as-${nth}-${name}`,
    kind: 'feedback',
    name,
    traceId: id,
    source: { type: 'CODE', id: name },
    createdAt: NOON,
    updatedAt: NOON + version,
    valid: true,
    ...rest,
  })
  return {
    stored: {
      trace: {
        id,
        experiment: 'shop',
        status: 'OK',
        requestTimeMs,
        requestTimeSubNs: 123_456,
        tags: { lang: 'en', ['__proto__']: 'odd' },
        metadata: {},
        spans: '',
        ...more,
      },
      assessments: [
        assessment('safe', { value: true, scorer: 'safe', scorerVersion: '1', durationMs: 1.5 }),
        assessment('length', { value: 12.25, rationale: 'twelve\nand a quarter', metadata: { n: 1, deep: false } }),
        assessment('broken', { error: { code: 'SCORER_THREW', message: 'no “luck” \u{1f340}', stack: 'at x' } }),
        assessment('answer', {
          kind: 'expectation',
          value: ['a', { b: null }],
          spanId: 's1',
          runId: 'run_1',
          overrides: 'as-0',
        }),
      ],
    },
    version,
    archivedAt: NOON + version,
  }
}

const full = {
  name: 'ask',
  sessionId: 's-1',
  durationNs: 1_234_567,
  inputs: '{"q":"why?\\ud800"}',
  outputs: '"because"',
  spans: '[]',
}
const BATCHES = [
  [archived(1, 1, NOON, full), archived(2, 2, NOON + DAY, { status: 'ERROR', tags: {} })],
  [archived(1, 3, NOON, { ...full, status: 'ERROR', outputs: undefined })],
  Array.from({ length: 2_500 }, (_, i) => archived(i + 10, i + 4, NOON - i * 1_000, { inputs: String(i).repeat(20) })),
]

const ofDelta = {
  string: 'string',
  long: 'int64',
  double: 'double',
  boolean: 'bool',
  date: 'date32[day]',
  timestamp: 'timestamp[us, tz=UTC]',
}
function arrowType(type) {
  if (typeof type === 'string') return ofDelta[type]
  if (type.type === 'map') return `map<${arrowType(type.keyType)}, ${arrowType(type.valueType)}>`
  if (type.type === 'array') return `list<element: ${arrowType(type.elementType)}>`
  return `struct<${type.fields.map((one) => `${one.name}: ${arrowType(one.type)}`).join(', ')}>`
}
/** Names of a map's own fields are the reader's. */
const spelled = (types) =>
  Object.fromEntries(Object.entries(types).map(([name, type]) => [name, type.replace(/ \('[^>]*'\)/g, '')]))

/** A row as Python has to see it. */
function seen(row) {
  const plain = (value) => {
    if (value === undefined || value === null) return null
    if (typeof value === 'bigint') return Number(value)
    if (Array.isArray(value)) return value.map(plain)
    return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value
  }
  return { ...plain(toCells(row)), date: dayOf(row.stored.trace.requestTimeMs) }
}
const byVersion = (rows) => rows.toSorted((a, b) => a.version - b.version || (a.trace_id < b.trace_id ? -1 : 1))

async function latest(table) {
  const found = await Array.fromAsync(table.read())
  return Object.fromEntries(found.map((row) => [row.stored.trace.id, row]))
}
const named = (rows, prefix) =>
  rows.map(({ stored: { trace, assessments }, ...rest }) => {
    const id = prefix + trace.id
    return {
      stored: { trace: { ...trace, id }, assessments: assessments.map((one) => ({ ...one, traceId: id })) },
      ...rest,
    }
  })
const versions = (rows) => Object.fromEntries(Object.entries(rows).map(([id, { version }]) => [id, version]))
/** What is undefined is missing. */
const data = (value) => JSON.parse(JSON.stringify(value))

try {
  const table = delta(pathToFileURL(join(work, 'table')))
  for (const [i, rows] of BATCHES.entries()) await table.append(rows, { application: 'check', batch: i })
  const ask = python()
  if (ask) {
    const rows = BATCHES.flat()
    const first = ask('show')
    deepStrictEqual(first.version, 2)
    deepStrictEqual(first.fields, COLUMNS)
    deepStrictEqual(first.partitions, ['date'])
    deepStrictEqual(spelled(first.types), Object.fromEntries(COLUMNS.map(({ name, type }) => [name, arrowType(type)])))
    deepStrictEqual(byVersion(first.rows), byVersion(rows.map(seen)))
    deepStrictEqual([first.late, first.newest], [1, 2_500])
    deepStrictEqual(first.latest, versions(await latest(table)))
    console.log(
      `deltalake reads the ${first.rows.length} rows of ${COLUMNS.length} columns that were written, with their types`,
    )

    const { version } = ask('change')
    const newest = rows.filter((row) => row !== rows[0])
    const kept = [
      ...newest,
      ...named(newest, 'after-'),
      ...named(newest, 'python-').filter(({ stored }) => stored.trace.id !== 'python-tr-1'),
    ]
    const expected = Object.fromEntries(kept.map((row) => [row.stored.trace.id, row]))
    for (const reader of [table, delta(table.location)]) deepStrictEqual(data(await latest(reader)), data(expected))
    deepStrictEqual(await table.lastBatch('check'), 2)
    deepStrictEqual(await delta(table.location).append(rows, { application: 'check', batch: 2 }), 'known')
    const last = archived(9_999, 9_999, NOON)
    deepStrictEqual(await table.append([last], { application: 'check', batch: 3 }), { rows: 1, version: version + 1 })
    deepStrictEqual(
      ask('show').rows.filter((row) => row.version === 9_999),
      [seen(last)],
    )
    console.log(
      `a table that deltalake appended to, deleted from, compacted and checkpointed is read and appended to (version ${version + 1})`,
    )
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
