import type { Lease } from '../../src/queue.ts'
import type { RegistrationWrite } from '../../src/registration.ts'
import { encode } from '../../src/std/json.ts'
import type { AssessmentWrite, TraceWrite } from '../../src/store.ts'

/** What monitoring keeps, as a store might hold it; every field can be given. */

/** A trace as production writes it. */
export function trace(id: string, overrides: Partial<TraceWrite> = {}): TraceWrite {
  return {
    id,
    experiment: 'exp',
    status: 'OK',
    requestTimeMs: 1_000,
    requestTimeSubNs: 0,
    tags: {},
    metadata: {},
    inputs: encode('why'),
    outputs: encode('because'),
    spans: '',
    ...overrides,
  }
}

export function registration(name: string, overrides: Partial<RegistrationWrite> = {}): RegistrationWrite {
  return {
    experiment: 'exp',
    name,
    recipe: { kind: 'judge', factory: 'Safety', options: {} },
    digest: 'd1',
    level: 'trace',
    registeredAt: 1,
    ...overrides,
  }
}

/** What a scorer says. */
export function said(name: string, value: unknown, overrides: Partial<AssessmentWrite> = {}): AssessmentWrite {
  const given = value === undefined ? {} : { value }
  return {
    kind: 'feedback',
    name,
    ...given,
    source: { type: 'CODE', id: 's' },
    scorer: 's',
    createdAt: 5,
    ...overrides,
  }
}

/** What a person says, by name or in the place of something. */
export function corrected(name: string, value: unknown, overrides?: string): AssessmentWrite {
  const source = { type: 'HUMAN', id: 'ann' } as const
  return { kind: 'feedback', name, value, source, createdAt: 6, ...(overrides !== undefined && { overrides }) }
}

export const lease = (owner: string, nowMs = 1_000, untilMs = nowMs + 100): Lease => ({ owner, nowMs, untilMs })
