import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project, ROOT } from './e2e/project.ts'

test('README table is what the first example prints', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'test/scripts/readme.mjs'), '--check'], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

/** The TypeScript blocks of the README, each a module of its own. */
function snippets(): string[] {
  return [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(
    (match) => match[1] as string,
  )
}

test('README snippets compile against the built package', async () => {
  const support =
    "export const answer = async ({ question }: { question: string }): Promise<string> => question + '.'\n"
  const files = Object.fromEntries(
    snippets().map((code, i) => [
      code.startsWith('// vitest.config.ts') ? 'vitest.config.ts' : `snippet-${i}.ts`,
      `${code}\nexport {}\n`,
    ]),
  )
  const tsconfig = {
    compilerOptions: {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2024',
      types: ['node'],
      allowImportingTsExtensions: true,
      skipLibCheck: true,
    },
    include: ['*.ts'],
  }
  const made = project(5, { ...files, 'support.ts': support, 'tsconfig.json': JSON.stringify(tsconfig) })
  const { stdout, code } = await made.node(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')
  expect(stdout).toBe('')
  expect(code).toBe(0)
})

test('README first snippet runs, and prints a table', async () => {
  const csv = 'inputs.question,expectations.expected_keywords\nwhy,why\nhow,"[""nothing""]"\n'
  const made = project(5, {
    'support.eval.ts': snippets()[0] as string,
    'support.ts':
      'export const answer = async ({ question }: { question: string }): Promise<string> => question + "."\n',
    'questions.csv': csv,
  })
  const { stdout, stderr, code } = await made.vitest('run')
  expect(stdout, stderr).toContain('support bot   2 rows')
  expect(stdout).toMatch(/includes +0\.500/)
  expect(code).toBe(0)
})
