import { execFile } from 'node:child_process'
import { posix } from 'node:path'
import { sha256 } from './json.ts'

/** What a working tree was like. */
export interface TreeState {
  readonly commit: string
  readonly branch?: string
  /** The digest of everything that is not committed; missing in a clean tree. */
  readonly changes?: string
  /** The digest of everything but one file, committed or not. */
  readonly around?: string
}

const TIMEOUT_MS = 5_000
const MAX_BYTES = 64 * 1024 * 1024

/** What is committed: it stays what it is until somebody commits. */
export interface Committed {
  readonly commit: string
  /** Of the folder, in the tree. */
  readonly prefix: string
  /** Every file, as `git ls-tree` lists it. */
  readonly files: string
}

/** Asks what is committed in the tree around a folder; undefined where there is none, or no git. */
export async function committedIn(folder: string): Promise<Committed | undefined> {
  const [about, files] = await Promise.all([
    git(folder, ['rev-parse', 'HEAD', '--show-prefix']),
    git(folder, ['ls-tree', '-r', '--full-tree', 'HEAD']),
  ])
  const [commit, prefix = ''] = about?.split('\n') ?? []
  return commit === undefined || files === undefined ? undefined : { commit, prefix, files }
}

/**
 * Gives the state of the working tree around a folder, or undefined where there is none, or no git.
 * @param apart a file, from the folder, that `around` leaves out
 * @param ahead what is committed, where that was asked before
 */
export async function treeState(
  folder: string,
  apart?: string,
  ahead?: Promise<Committed | undefined>,
): Promise<TreeState | undefined> {
  // All at once: most trees are clean, and each question costs a process.
  const [status, known] = await Promise.all([
    git(folder, ['status', '--porcelain=v2', '--branch', '--untracked-files=normal']),
    apart === undefined ? undefined : (ahead ?? committedIn(folder)),
  ])
  const commit = /^# branch\.oid ([0-9a-f]+)$/m.exec(status ?? '')?.[1]
  if (status === undefined || commit === undefined) return undefined
  const branch = /^# branch\.head (.+)$/m.exec(status)?.[1]
  const changed = status.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const [diff, others, committed] = await Promise.all([
    changed.length > 0 ? git(folder, ['diff', 'HEAD']) : '',
    changed.length > 0 && apart !== undefined
      ? git(folder, ['diff', 'HEAD', '--', ':(top)', `:(exclude,literal)${apart}`])
      : '',
    known === undefined || known.commit === commit ? known : committedIn(folder),
  ])
  const around =
    apart === undefined || committed === undefined || others === undefined
      ? undefined
      : digestAround({ apart, committed, changed, diff: others })
  return {
    commit,
    ...(branch !== undefined && branch !== '(detached)' && { branch }),
    ...(changed.length > 0 && { changes: sha256(`${changed.join('\n')}\n${diff ?? ''}`).slice(0, 16) }),
    ...(around !== undefined && { around }),
  }
}

interface Around {
  readonly apart: string
  readonly committed: Committed
  readonly changed: readonly string[]
  readonly diff: string
}

function digestAround({ apart, committed, changed, diff }: Around): string {
  const path = posix.normalize(`${committed.prefix}${apart}`)
  // Git names files in the tree from its top, and changed ones from the folder.
  const others = [
    ...committed.files.split('\n').filter((line) => !line.endsWith(`\t${path}`)),
    ...changed.filter((line) => !line.endsWith(` ${posix.normalize(apart)}`)),
  ]
  return sha256(`${others.join('\n')}\n${diff}`).slice(0, 16)
}

/** Gives the name under which commits are made in a folder, or undefined where there is none, or no git. */
export async function gitUser(folder: string): Promise<string | undefined> {
  return (await git(folder, ['config', 'user.name']))?.trim() || undefined
}

/** Gives a commit and those before it along one branch, the newest first; nothing where git does not know it. */
export async function ancestors(folder: string, commit: string, limit = 1_000): Promise<string[]> {
  const text = await git(folder, ['rev-list', '--first-parent', `--max-count=${limit}`, '--end-of-options', commit])
  return text?.split('\n').filter((line) => line !== '') ?? []
}

/** Gives the commit at which a branch and what is checked out part, trying its remote name too. */
export async function mergeBase(folder: string, branch: string): Promise<string | undefined> {
  for (const name of [`origin/${branch}`, branch]) {
    const text = await git(folder, ['merge-base', '--end-of-options', 'HEAD', name])
    if (text) return text.trim()
  }
  return undefined
}

/** Gives the branch that changes go into: the remote's own, else `main` or `master` where there is one. */
export async function mainBranch(folder: string): Promise<string | undefined> {
  const remote = await git(folder, ['symbolic-ref', '--short', 'refs/remotes/origin/HEAD'])
  if (remote) return remote.trim().replace(/^origin\//, '')
  for (const name of ['main', 'master']) {
    if (await git(folder, ['rev-parse', '--verify', '--quiet', `refs/heads/${name}`])) return name
  }
  return undefined
}

function git(cwd: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', args, { cwd, timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES }, (error, stdout) =>
      resolve(error ? undefined : stdout),
    )
  })
}
