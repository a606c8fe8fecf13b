// Pastes the first example's table into the README; with --check it only says whether the one there is still the one printed.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const begin = '<!-- table:begin (written by `npm run readme`, from the first example) -->'
const end = '<!-- table:end -->'

const { stdout, stderr, status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, 'run', '--config', 'examples/01-docs-answerer/vitest.config.ts'],
  { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', COLUMNS: '100', CI: '', AI_AGENT: '' } },
)
if (status !== 0) throw new Error(`The first example failed\n${stdout}\n${stderr}`)
const table = stdout.match(/^ docs answerer {3}[\s\S]*?(?=\n\n docs answerer, wider)/m)?.[0]
if (!table) throw new Error(`The first example printed no table\n${stdout}`)
const block = `${begin}\n\n\`\`\`text\n${table.trimEnd()}\n\`\`\`\n\n${end}`

const path = `${root}README.md`
const readme = readFileSync(path, 'utf8')
const there = readme.slice(readme.indexOf(begin), readme.indexOf(end) + end.length)

/** Times and ids differ from run to run; nothing else may. */
const lasting = (text) =>
  text
    .replace(/run_[0-9a-f]+|tr-[0-9a-f]+/g, 'id')
    .replace(/rows ·.*/g, 'rows')
    .replace(/ +/g, ' ')

if (!process.argv.includes('--check')) {
  writeFileSync(
    path,
    readme.replace(there, () => block),
  )
} else if (lasting(there) !== lasting(block)) {
  console.error(`The table in README.md is not what the first example prints; npm run readme writes it\n\n${block}`)
  process.exitCode = 1
}
