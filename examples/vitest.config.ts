import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'

/** Runs every example: `npx vitest run --config examples/vitest.config.ts`. */
export default defineConfig({
  plugins: [evaluate({ include: ['examples/**/*.eval.ts'] })],
  test: { root: new URL('..', import.meta.url).pathname, include: ['examples/**/*.test.ts'] },
})
