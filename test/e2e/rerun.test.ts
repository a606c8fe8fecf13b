import { expect, test } from 'vitest'
import { sleep } from '../../src/std/async.ts'
import { project } from './project.ts'

const CONFIG = `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate()], server: { watch: { usePolling: true, interval: 100 } } })
`

test.for([5, 4] as const)('a change of the app runs its tests again as ever under Vitest %i', async (major) => {
  const p = project(major, {
    'vitest.config.ts': CONFIG,
    'app.ts': "export const app = () => 'first'\n",
    'app.test.ts':
      "import { test } from 'vitest'\nimport { app } from './app.ts'\ntest('app', () => console.log('app said ' + app()))\n",
  })
  const started = p.start('--watch')
  const printed = async (text: string): Promise<void> => {
    for (let tries = 0; tries < 200 && !started.output().includes(text); tries++) await sleep(100)
    expect(started.output()).toContain(text)
  }
  await printed('ing for file changes')
  p.write({ 'app.ts': "export const app = () => 'second'\n" })
  await printed('app said second')
  started.process.kill('SIGTERM')
  await started.ended
})
