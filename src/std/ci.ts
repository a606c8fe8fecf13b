import { readFileSync } from 'node:fs'

/** What a CI system tells its jobs: https://docs.github.com/actions/reference/variables-reference, https://docs.gitlab.com/ci/variables/predefined_variables */
export interface Job {
  readonly system: 'github' | 'gitlab' | 'other'
  /** The job's name. */
  readonly job?: string
  /** Where the job can be looked at. */
  readonly url?: string
  /** The number of the pull or merge request. */
  readonly request?: number
  /** The branch that is built; a checkout of CI has none of its own. */
  readonly branch?: string
  /** The branch that a request wants to go into. */
  readonly target?: string
  /** The commit of the target branch that the request is based on, where the system knows it. */
  readonly base?: string
}

type Env = Readonly<Record<string, string | undefined>>

/** Gives what is known of the CI job around, or undefined outside CI. */
export function jobOf(env: Env): Job | undefined {
  if (env.GITHUB_ACTIONS === 'true') return github(env)
  if (env.GITLAB_CI) return gitlab(env)
  if (!env.CI) return undefined
  const target = env.BITBUCKET_PR_DESTINATION_BRANCH ?? env.CHANGE_TARGET ?? env.SYSTEM_PULLREQUEST_TARGETBRANCH
  const branch = env.BITBUCKET_BRANCH ?? env.BRANCH_NAME ?? env.BUILD_SOURCEBRANCHNAME
  const url = env.BUILD_URL
  return compact({ system: 'other', branch, target: target?.replace(/^refs\/heads\//, ''), url })
}

function github(env: Env): Job {
  const event = eventOf(env.GITHUB_EVENT_PATH)
  const url = env.GITHUB_RUN_ID && `${env.GITHUB_SERVER_URL}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`
  return compact({
    system: 'github',
    job: env.GITHUB_JOB,
    url,
    request: numeric(event?.pull_request?.number),
    branch: env.GITHUB_HEAD_REF || env.GITHUB_REF_NAME,
    target: env.GITHUB_BASE_REF,
    base: event?.pull_request?.base?.sha,
  })
}

function gitlab(env: Env): Job {
  return compact({
    system: 'gitlab',
    job: env.CI_JOB_NAME,
    url: env.CI_JOB_URL,
    request: numeric(env.CI_MERGE_REQUEST_IID),
    branch: env.CI_MERGE_REQUEST_SOURCE_BRANCH_NAME ?? env.CI_COMMIT_REF_NAME,
    target: env.CI_MERGE_REQUEST_TARGET_BRANCH_NAME,
    base: env.CI_MERGE_REQUEST_DIFF_BASE_SHA,
  })
}

interface PullRequestEvent {
  readonly pull_request?: { readonly number?: number; readonly base?: { readonly sha?: string } }
}

/** A file that is not there, or is no JSON, says nothing. */
function eventOf(path: string | undefined): PullRequestEvent | undefined {
  if (!path) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function numeric(value: unknown): number | undefined {
  const number = Number(value)
  return Number.isInteger(number) && number > 0 ? number : undefined
}

function compact(job: { readonly [K in keyof Job]: Job[K] | undefined }): Job {
  return Object.fromEntries(
    Object.entries(job).filter(([, value]) => value !== undefined && value !== ''),
  ) as unknown as Job
}
