import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './evaluation.ts'

/** A git repository to try things in. */
export interface Repository {
  readonly folder: string
  git(...args: string[]): string
  /** Makes a commit and gives its id. */
  commit(text: string): string
}

/** Makes a repository with a branch `main` and nothing in it; it is removed when the test has finished. */
export function repository(at: string = folder()): Repository {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', '-c', 'commit.gpgsign=false', ...args], {
      cwd: at,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  git('init', '--quiet', '--initial-branch=main')
  return {
    folder: at,
    git,
    commit(text) {
      writeFileSync(join(at, 'app.txt'), text)
      git('add', 'app.txt')
      git('commit', '--quiet', '-m', text)
      return git('rev-parse', 'HEAD')
    },
  }
}
