import { COMMENT_BYTES, renderMarkdown } from '../../reporters/markdown.ts'
import { messageOf } from '../errors.ts'
import { jobOf } from '../std/ci.ts'
import { visible } from '../std/text.ts'
import { type Output, printJson, type Shared } from './output.ts'
import { reportsOf, writeText } from './report.ts'

export interface CommentOptions extends Shared {
  readonly repo?: string
  readonly number?: number
  /** Tells comments of several jobs apart. */
  readonly key: string
  readonly body?: string
}

/** The part of a process that the comment depends on. */
interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stderr: { write(text: string): unknown }
}

/** What became of the comment. */
type Outcome =
  | { readonly done: 'created' | 'updated'; readonly url: string }
  | { readonly done: 'skipped' | 'failed'; readonly why: string }

/**
 * Posts runs as one comment on a pull request, or updates the one that is there. Where that cannot be, without a token as in pull requests of
 * forks, it says so and fails nothing: what gates is the gate command.
 */
export async function comment(
  which: readonly string[],
  options: CommentOptions,
  output: Output,
  { env, stderr }: Surroundings,
): Promise<void> {
  const marker = `<!-- vitest-evaluate ${options.key.replace(/[^\w.-]/g, '-')} -->`
  const body = renderMarkdown(await reportsOf(which, options), { maxBytes: COMMENT_BYTES, marker })
  if (options.body !== undefined) await writeText(options.body, body)
  const outcome = await post(body, marker, options, env)
  if (options.json) printJson(output, outcome)
  else if ('url' in outcome)
    output.print(`${outcome.done === 'created' ? 'Posted' : 'Updated'} ${visible(outcome.url)}`)
  else stderr.write(`No comment: ${visible(outcome.why)}\n`)
}

async function post(body: string, marker: string, options: CommentOptions, env: Surroundings['env']): Promise<Outcome> {
  const token = env.GITHUB_TOKEN || env.GH_TOKEN
  const repo = options.repo ?? env.GITHUB_REPOSITORY
  const number = options.number ?? jobOf(env)?.request
  if (!token) return { done: 'skipped', why: 'there is no token (GITHUB_TOKEN), as in pull requests of forks' }
  if (!repo || !/^(?!\.)[\w.-]+\/(?!\.)[\w.-]+$/.test(repo))
    return { done: 'skipped', why: 'no repository is known (--repo owner/name)' }
  if (number === undefined) return { done: 'skipped', why: 'no pull request is known (--number)' }
  const github = new GitHub(env.GITHUB_API_URL || 'https://api.github.com', token)
  try {
    const known = await github.find(`/repos/${repo}/issues/${number}/comments`, marker)
    if (known) {
      const updated = await github.send('PATCH', `/repos/${repo}/issues/comments/${known.id}`, { body })
      // One that others wrote cannot be changed; then there is going to be one of ours.
      if (updated) return { done: 'updated', url: updated.html_url }
    }
    const created = await github.send('POST', `/repos/${repo}/issues/${number}/comments`, { body })
    if (created) return { done: 'created', url: created.html_url }
    return { done: 'failed', why: 'GitHub refused it: the token may not write to pull requests' }
  } catch (thrown) {
    return { done: 'failed', why: messageOf(thrown) }
  }
}

interface Comment {
  readonly id: number
  readonly body?: string
  readonly html_url: string
}

const PAGE = 100
const MAX_PAGES = 100
const TIMEOUT_MS = 30_000

/** The few calls of GitHub's API that a comment needs: https://docs.github.com/rest/issues/comments */
class GitHub {
  readonly #api: string
  readonly #token: string

  constructor(api: string, token: string) {
    this.#api = api.replace(/\/$/, '')
    this.#token = token
  }

  /** Gives the comment that begins with a marker. They come oldest first and page by page, so that all have to be looked at. */
  async find(path: string, marker: string): Promise<Comment | undefined> {
    for (let page = 1; page <= MAX_PAGES; page++) {
      const comments = (await this.#call('GET', `${path}?per_page=${PAGE}&page=${page}`)) as Comment[]
      const found = comments.find(({ body }) => body?.startsWith(marker))
      if (found || comments.length < PAGE) return found
    }
    return undefined
  }

  /** Gives undefined where it is forbidden. */
  async send(method: 'POST' | 'PATCH', path: string, data: object): Promise<Comment | undefined> {
    return (await this.#call(method, path, data)) as Comment | undefined
  }

  async #call(method: string, path: string, data?: object): Promise<unknown> {
    const response = await fetch(`${this.#api}${path}`, {
      method,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${this.#token}`,
        'user-agent': 'vitest-evaluate',
        'x-github-api-version': '2022-11-28',
        ...(data && { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(data && { body: JSON.stringify(data) }),
    })
    if (method !== 'GET' && (response.status === 403 || response.status === 404)) return undefined
    if (!response.ok) throw new Error(`GitHub answered ${response.status} to ${method} ${path}`)
    return response.json()
  }
}
