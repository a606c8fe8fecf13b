import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { jobOf } from '../../../src/std/ci.ts'
import { folder } from '../../data/evaluation.ts'

test('jobOf() reads what GitHub says, the event of a pull request too', () => {
  const path = join(folder(), 'event.json')
  writeFileSync(path, JSON.stringify({ pull_request: { number: 7, base: { sha: 'abc' } } }))
  const env = {
    GITHUB_ACTIONS: 'true',
    GITHUB_JOB: 'evals',
    GITHUB_RUN_ID: '12',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'a/b',
    GITHUB_HEAD_REF: 'change',
    GITHUB_REF_NAME: '7/merge',
    GITHUB_BASE_REF: 'main',
    GITHUB_EVENT_PATH: path,
  }
  expect(jobOf(env)).toEqual({
    system: 'github',
    job: 'evals',
    url: 'https://github.com/a/b/actions/runs/12',
    request: 7,
    branch: 'change',
    target: 'main',
    base: 'abc',
  })
  writeFileSync(path, 'not JSON')
  expect(jobOf(env)).not.toHaveProperty('base')
  const push = { GITHUB_ACTIONS: 'true', GITHUB_REF_NAME: 'main', GITHUB_HEAD_REF: '', GITHUB_BASE_REF: '' }
  expect(jobOf(push)).toEqual({ system: 'github', branch: 'main' })
})

test('jobOf() reads what GitLab and others say, and nothing outside CI', () => {
  expect(
    jobOf({
      GITLAB_CI: 'true',
      CI_JOB_NAME: 'evals',
      CI_JOB_URL: 'https://gitlab.com/a/-/jobs/1',
      CI_MERGE_REQUEST_IID: '3',
      CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'change',
      CI_MERGE_REQUEST_TARGET_BRANCH_NAME: 'main',
      CI_MERGE_REQUEST_DIFF_BASE_SHA: 'abc',
    }),
  ).toEqual({
    system: 'gitlab',
    job: 'evals',
    url: 'https://gitlab.com/a/-/jobs/1',
    request: 3,
    branch: 'change',
    target: 'main',
    base: 'abc',
  })
  expect(jobOf({ CI: '1', BITBUCKET_PR_DESTINATION_BRANCH: 'main', BITBUCKET_BRANCH: 'x' })).toEqual({
    system: 'other',
    branch: 'x',
    target: 'main',
  })
  expect(jobOf({ CI: '1', SYSTEM_PULLREQUEST_TARGETBRANCH: 'refs/heads/main' })?.target).toBe('main')
  expect(jobOf({})).toBeUndefined()
})
