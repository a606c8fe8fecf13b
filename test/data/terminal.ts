import { run } from '../../src/cli.ts'

/** What a command printed. */
export interface Printed {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs our command line in this process, on a screen of 100 columns without colours. */
export async function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Printed> {
  let [out, err] = ['', '']
  const stdout = {
    columns: 100,
    write: (text: string) => {
      out += text
    },
  }
  const stderr = {
    write: (text: string) => {
      err += text
    },
  }
  const code = await run({ argv: ['node', 'vitest-evaluate', ...args], env, stdout, stderr })
  return { code, out, err }
}
