#!/usr/bin/env node
import { problemOfNode } from './std/node.ts'

// Whoever reads the output may stop early, as `head` does.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // The exit code of gates is their verdict, whoever has read it or not.
  if (code === 'EPIPE' && process.argv[2] === 'gate') return
  process.exit(code === 'EPIPE' ? 0 : 1)
})
const problem = problemOfNode(process.versions.node)
if (problem) {
  process.stderr.write(`${problem}\n`)
  // As an error of `gate` and `report`, whose lower codes are verdicts.
  process.exitCode = 3
} else {
  // Not before: an older Node does not even load what the commands import.
  const { run } = await import('./cli.ts')
  process.exitCode = await run(process)
}
