/// <reference types="vitest/config" />
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Vite } from 'vitest/node'
import VitestEvaluateReporter, { isOurs } from '../reporters/vitest.ts'
import { HANDOFF_KEY } from './handoff.ts'
import type { Settings } from './host.ts'
import { requireSettings } from './settings.ts'

/** What the plugin passes on to every evaluation. */
export interface PluginOptions extends Omit<Settings, 'root' | 'live' | 'session' | 'whole' | 'evals'> {
  /** Which files are evaluations. @default ['**\/*.eval.?(c|m)[jt]s'] */
  readonly include?: readonly string[]
}

const SETUP = fileURLToPath(
  new URL(`../fixtures/setup${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
)
const PROJECT = 'evals'
/**
 * Megabytes. On a large machine V8 lets young objects take 128 MB before it looks for what is dead: a hundred thousand rows would fill them. Only
 * a process takes such a flag, a thread refuses it.
 */
const SMALL_NURSERY = ['--max-semi-space-size=16']

/**
 * Makes Vitest run evaluations: `*.eval.ts` files become a project `evals` of their own, without time limit and without retry; runs are
 * reported after Vitest's own summary; `evaluate` from `vitest-evaluate` belongs to the test that calls it.
 *
 * @example
 * export default defineConfig({ plugins: [evaluate()] })
 * @throws TypeError for an unknown option, RangeError for a value that does not fit
 */
export default function evaluate({ include, ...settings }: PluginOptions = {}): Vite.Plugin {
  requireSettings(settings)
  const files = include ?? ['**/*.eval.?(c|m)[jt]s']
  const session = randomUUID()
  return {
    name: 'vitest-evaluate',
    // Before Vitest looks at the projects: those that it finds share one Vite server, others read the configuration again.
    enforce: 'pre',
    config: {
      order: 'pre',
      handler: ({ test = {} }) => {
        const evals = {
          extends: true as const,
          test: { name: PROJECT, include: [...files], testTimeout: 0, hookTimeout: 0, retry: 0 },
        }
        // Named here, since for each file Vitest runs anew only what it has known as a setup file from the start.
        const setupFiles = test.setupFiles === SETUP || test.setupFiles?.includes(SETUP) ? [] : [SETUP]
        // A project is this very plugin again, under a configuration that names it.
        if (test.name === PROJECT || test.name === TESTS) return { test: { setupFiles } }
        const rest = test.projects ? [] : [{ extends: true as const, test: { name: TESTS } }]
        return { test: { setupFiles, projects: [...rest, evals] } }
      },
    },
    configResolved({ test }) {
      // Another plugin has added projects of its own: there tests have their place.
      const projects = test?.projects
      if (!projects || projects.every((one) => OURS.includes(nameOf(one)))) return
      const rest = projects.findIndex((one) => nameOf(one) === TESTS)
      if (rest >= 0) projects.splice(rest, 1)
    },
    configureVitest({ vitest, project }) {
      const evals = project.name === PROJECT
      // Lists of a root configuration are joined with a project's own; each file belongs to one project only.
      if (evals) {
        project.config.include = [...files]
        if (/forks/i.test(project.config.pool)) project.config.execArgv.unshift(...SMALL_NURSERY)
        // Node keeps what it has compiled, as for Vite: workers start sooner. Coverage wants it compiled anew.
        if (!vitest.config.coverage.enabled) project.config.env = { ...COMPILE_CACHE, ...project.config.env }
      } else project.config.exclude = [...project.config.exclude, ...files]
      project.provide(HANDOFF_KEY, { ...settings, root: vitest.config.root, session, evals })
      const others = project.config.setupFiles.filter((file) => file !== SETUP)
      project.config.setupFiles = [...others, SETUP]
      const { reporters } = vitest.config
      if (!reporters.some(isOurs)) reporters.push(new VitestEvaluateReporter(settings))
    },
  }
}

/** Where Node itself keeps it, unless the environment says otherwise. */
const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), 'node-compile-cache'),
}
const TESTS = 'tests'
const OURS: readonly unknown[] = [PROJECT, TESTS]

function nameOf(project: unknown): unknown {
  return (project as { readonly test?: { readonly name?: unknown } } | undefined)?.test?.name
}
