import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'

/** Runs every example: `npx vitest run --config examples/vitest.config.ts`. */
export default defineConfig({
  plugins: [evaluate({ include: ['examples/**/*.eval.ts'] })],
  test: { root: fileURLToPath(new URL('..', import.meta.url)), include: ['examples/**/*.test.ts'] },
})
