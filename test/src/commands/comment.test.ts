import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

interface Comment {
  id: number
  body: string
  html_url: string
}

const MARKER = '<!-- vitest-evaluate default -->'
const TOKEN = 'ghs_secret'

async function bodyOf(request: IncomingMessage): Promise<any> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? undefined : JSON.parse(text)
}

/** The part of GitHub's API that comments need. @param refuse the methods that are forbidden */
async function github(comments: Comment[], refuse: Readonly<Record<string, number>> = {}) {
  const calls: string[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request
    calls.push(`${method} ${url}`)
    const answer = (status: number, data: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(data))
    }
    const data = await bodyOf(request)
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, {})
    if (refuse[method]) return answer(refuse[method], { message: 'no' })
    const { pathname, searchParams } = new URL(url, 'http://x')
    if (method === 'GET' && pathname === '/repos/a/b/issues/7/comments') {
      const [size, page] = [Number(searchParams.get('per_page')), Number(searchParams.get('page'))]
      return answer(200, comments.slice((page - 1) * size, page * size))
    }
    const known = comments.find(({ id }) => pathname === `/repos/a/b/issues/comments/${id}`)
    if (method === 'PATCH' && known) {
      known.body = data.body
      return answer(200, known)
    }
    if (method === 'POST' && pathname === '/repos/a/b/issues/7/comments') {
      const made = {
        id: comments.length + 1,
        body: data.body,
        html_url: `https://github.com/a/b/pull/7#${comments.length + 1}`,
      }
      comments.push(made)
      return answer(201, made)
    }
    return answer(404, {})
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.close()
  })
  return { calls, api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const chatter = (count: number): Comment[] =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1, body: `I quote: ${MARKER}`, html_url: `https://x/${i + 1}` }))

async function ask(env: Record<string, string>, ...args: string[]) {
  const store = join(folder(), 'store.sqlite')
  const options = { store, name: 'app', gates: { good: { floor: 0.9 } } }
  await evaluate([{ inputs: 1 }], () => false, [scorer('good', ({ outputs }) => outputs)], options)
  return cli(['comment', '--store', store, ...args], env)
}
const env = (api: string) => ({ GITHUB_TOKEN: TOKEN, GITHUB_REPOSITORY: 'a/b', GITHUB_API_URL: api })

test('comment posts one comment, and then updates it', async () => {
  const comments = chatter(2)
  const { api } = await github(comments)
  const first = await ask(env(api), '--number', '7')
  expect(first).toEqual({ code: 0, out: 'Posted https://github.com/a/b/pull/7#3\n', err: '' })
  expect(comments[2]?.body).toMatch(new RegExp(`^${MARKER}\n### ❌ 1 evaluation, gates: 1 failed\n`))
  const second = await ask(env(api), '--number', '7')
  expect(second.out).toBe('Updated https://github.com/a/b/pull/7#3\n')
  expect(comments).toHaveLength(3)
})

test('comment is found among a thousand others', async () => {
  const comments = chatter(1_000)
  ;(comments[997] as Comment).body = `${MARKER}\nold`
  const { api, calls } = await github(comments)
  const { out } = await ask(env(api), '--number', '7')
  expect(out).toBe('Updated https://x/998\n')
  expect(comments).toHaveLength(1_000)
  expect(comments[997]?.body).not.toContain('old')
  expect(calls.filter((call) => call.startsWith('GET'))).toHaveLength(10)
})

test('comments of several jobs are told apart by their key', async () => {
  const comments: Comment[] = []
  const { api } = await github(comments)
  await ask(env(api), '--number', '7', '--key', 'nightly -->')
  await ask(env(api), '--number', '7')
  expect(comments.map(({ body }) => body.split('\n')[0])).toEqual(['<!-- vitest-evaluate nightly---- -->', MARKER])
})

test('comment that somebody else wrote is not ours: a new one is posted', async () => {
  const comments = [{ id: 1, body: `${MARKER}\nforged`, html_url: 'https://x/1' }]
  const { api } = await github(comments, { PATCH: 403 })
  expect((await ask(env(api), '--number', '7')).out).toBe('Posted https://github.com/a/b/pull/7#2\n')
})

test.for<[Record<string, string>, readonly string[], string]>([
  [
    { GITHUB_TOKEN: '' },
    ['--number', '7'],
    'No comment: there is no token (GITHUB_TOKEN), as in pull requests of forks\n',
  ],
  [{ GITHUB_REPOSITORY: '' }, ['--number', '7'], 'No comment: no repository is known (--repo owner/name)\n'],
  [{}, ['--number', '7', '--repo', '../x'], 'No comment: no repository is known (--repo owner/name)\n'],
  [{}, [], 'No comment: no pull request is known (--number)\n'],
  [{ GITHUB_TOKEN: 'wrong' }, ['--number', '7'], 'No comment: GitHub answered 401 to GET /repos/a/b/issues/7/comments'],
])('comment with %j %j says why there is none, and fails nothing', async ([more, args, message]) => {
  const { api } = await github([])
  const { code, out, err } = await ask({ ...env(api), ...more }, ...args)
  expect([code, out]).toEqual([0, ''])
  expect(err).toContain(message)
  expect(err).not.toContain('wrong')
})

test('comment fails nothing when GitHub forbids, fails or is not there, and never says the token', async () => {
  const forbidden = await github([], { POST: 403 })
  expect((await ask(env(forbidden.api), '--number', '7')).err).toBe(
    'No comment: GitHub refused it: the token may not write to pull requests\n',
  )
  const broken = await github([], { POST: 500 })
  const { code, err } = await ask(env(broken.api), '--number', '7')
  expect([code, err]).toEqual([0, 'No comment: GitHub answered 500 to POST /repos/a/b/issues/7/comments\n'])
  const gone = await ask(env('http://127.0.0.1:1'), '--number', '7')
  expect(gone.code).toBe(0)
  expect(gone.err).toContain('No comment: ')
  expect(gone.err).not.toContain(TOKEN)
})

test('comment --body writes what would be posted, token or none', async () => {
  const body = join(folder(), 'comment.md')
  const { code } = await ask({}, '--body', body)
  expect(code).toBe(0)
  expect(readFileSync(body, 'utf8')).toMatch(new RegExp(`^${MARKER}\n### ❌`))
  const { out } = await ask({}, '--json')
  expect(JSON.parse(out)).toEqual({
    done: 'skipped',
    why: 'there is no token (GITHUB_TOKEN), as in pull requests of forks',
  })
})
