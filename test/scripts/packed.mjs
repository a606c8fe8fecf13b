// Packs the package, installs the tarball into an empty project for each Vitest major, and uses it there as a new user would.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'packed-'))
const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const [{ filename }] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', work], root))

const FILES = {
  'vitest.config.ts': `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate()] })
`,
  'questions.csv':
    'id,inputs.question,expectations.expected_response\na,why,why!\nb,"how,\nthen","how,\nthen!"\nc,when,never\n',
  'shout.eval.ts': `import { expect } from 'vitest'
import { csv, openRun, scorer, span } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { exactMatch } from 'vitest-evaluate/scorers'

const shout = async ({ question }: { question: string }) => span('shout', { type: 'TOOL' }, () => question + '!')
const tools = scorer('tools', ({ trace }) => trace.searchSpans({ type: 'TOOL' }).length)

test('shout', async ({ evaluate }) => {
  const run = await evaluate(csv('questions.csv'), shout, [exactMatch(), tools])
  expect(run.metrics['exact_match/mean']).toBeCloseTo(2 / 3)
  expect(run.metrics['tools/mean']).toBe(1)
  const again = await evaluate(run.search("feedback.exact_match = 'no'"), shout, [tools])
  expect(again.totals.rows).toBe(1)
  await run.export('run.arrow')
  await run.export('run.parquet')
  const opened = await openRun('run.arrow')
  expect(opened.metrics).toEqual(run.metrics)
})
`,
  'broken.eval.ts': `import { csv, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
test('broken', async ({ evaluate }) => {
  await evaluate(csv('question.csv'), async (x: unknown) => x, [scorer('s', () => 1)])
})
`,
}

function check(condition, what, output) {
  if (!condition) throw new Error(`${what}\n${output}`)
}

try {
  for (const major of ['5', '4.1']) {
    const project = join(work, `vitest-${major}`)
    execFileSync('mkdir', [project])
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }')
    npm(['install', '--no-audit', '--no-fund', '--loglevel=error', `vitest@^${major}`, join(work, filename)], project)
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(project, name), text)
    const run = (...args) =>
      spawnSync(process.execPath, args, {
        cwd: project,
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1', AI_AGENT: '' },
      })
    const good = run('node_modules/vitest/vitest.mjs', 'run', 'shout')
    check(good.status === 0, `vitest ${major}: the evaluation failed`, good.stdout + good.stderr)
    check(/exact_match +0\.667 /.test(good.stdout), `vitest ${major}: no table`, good.stdout)
    const bad = run('node_modules/vitest/vitest.mjs', 'run', 'broken')
    check(bad.status === 1, `vitest ${major}: a missing file must fail`, bad.stdout + bad.stderr)
    check(bad.stderr.includes('questions.csv'), `vitest ${major}: no hint at the file that is there`, bad.stderr)
    const shown = run('node_modules/vitest-evaluate/dist/src/main.js', 'show', 'shout', '2')
    check(
      shown.status === 0 && shown.stdout.includes('how,'),
      `vitest ${major}: show failed`,
      shown.stdout + shown.stderr,
    )
    console.log(`vitest ${major}: the packed package works`)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
