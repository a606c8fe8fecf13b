import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** Tiny projects, run by the real Vitest of both majors against the built package. */

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))
const TMP = join(ROOT, 'test', '.tmp')

export const MAJORS = {
  5: join(ROOT, 'node_modules', 'vitest'),
  4: existsSync(join(ROOT, 'test', 'vitest-4', 'node_modules', 'vitest'))
    ? join(ROOT, 'test', 'vitest-4', 'node_modules', 'vitest')
    : join(ROOT, 'node_modules', 'vitest-4-host', 'node_modules', 'vitest'),
} as const
export type Major = keyof typeof MAJORS

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process on its way. */
export interface Started {
  readonly process: ChildProcess
  /** Gives what it has printed so far. */
  readonly output: () => string
  readonly ended: Promise<Finished>
}

export interface Project {
  readonly folder: string
  write(files: Readonly<Record<string, string>>): void
  /** Runs `vitest` with these arguments. */
  vitest(...args: string[]): Promise<Finished>
  /** Starts `vitest` with these arguments, in a process group of its own. */
  start(...args: string[]): Started
  /** Runs our command line. */
  cli(...args: string[]): Promise<Finished>
  /** Runs a module of the project with plain Node. */
  node(...args: string[]): Promise<Finished>
  /** Runs any program, in the folder of the project. */
  program(name: string, ...args: string[]): Promise<Finished>
}

const WITH_PLUGIN = `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate()] })
`

/** Makes a project with the plugin configured; it is removed when the test has finished. */
export function project(major: Major, files: Readonly<Record<string, string>>): Project {
  mkdirSync(TMP, { recursive: true })
  const folder = mkdtempSync(join(TMP, `v${major}-`))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const modules = join(folder, 'node_modules')
  const ours = join(modules, 'vitest-evaluate')
  mkdirSync(ours, { recursive: true })
  cpSync(join(ROOT, 'dist'), join(ours, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(ours, 'package.json'))
  symlinkSync(MAJORS[major], join(modules, 'vitest'))
  const write = (more: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(more)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
  }
  write({ 'package.json': '{ "name": "tiny", "type": "module" }', 'vitest.config.ts': WITH_PLUGIN, ...files })
  return {
    folder,
    write,
    vitest: (...args) => start(folder, [join(MAJORS[major], 'vitest.mjs'), ...args]).ended,
    start: (...args) => {
      const started = start(folder, [join(MAJORS[major], 'vitest.mjs'), ...args], true)
      onTestFinished(() => killGroup(started.process))
      return started
    },
    cli: (...args) => start(folder, [join(ours, 'dist', 'src', 'main.js'), ...args]).ended,
    node: (...args) => start(folder, args).ended,
    program: (name, ...args) => start(folder, args, false, name).ended,
  }
}

function start(cwd: string, args: readonly string[], detached = false, program = process.execPath): Started {
  // A nested Vitest must not take itself for a worker of the outer one, nor its output for that of an agent or of CI.
  const { VITEST, VITEST_POOL_ID, VITEST_WORKER_ID, VITEST_MODE, NODE_ENV, CI, GITHUB_ACTIONS, FORCE_COLOR, ...env } =
    process.env
  const child = spawn(program, args, {
    cwd: resolve(cwd),
    env: { ...env, NO_COLOR: '1', AI_AGENT: '', COLUMNS: '100' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<Finished>((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
  return { process: child, output: () => stdout + stderr, ended }
}

/** Ends a process and whatever it has started. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
