import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'

export default defineConfig({
  root: import.meta.dirname,
  plugins: [evaluate({ experiment: 'triage' })],
})
