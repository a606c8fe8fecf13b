#!/usr/bin/env node
import { run } from './cli.ts'

// Whoever reads the output may stop early, as `head` does.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // The exit code of gates is their verdict, whoever has read it or not.
  if (code === 'EPIPE' && process.argv[2] === 'gate') return
  process.exit(code === 'EPIPE' ? 0 : 1)
})
process.exitCode = await run(process)
