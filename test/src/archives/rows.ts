import type { Archive, ArchivedTrace } from '../../../src/archival.ts'
import type { Assessment } from '../../../src/feedback.ts'
import type { TraceWrite } from '../../../src/store.ts'

/** Archived traces made by hand. */

export const NOON: number = Date.UTC(2026, 10, 21, 12)
export const DAY = 86_400_000

export function archived(
  id: string,
  version: number,
  trace: Partial<TraceWrite> = {},
  assessments: readonly Assessment[] = [],
): ArchivedTrace {
  return {
    stored: {
      trace: {
        id,
        experiment: 'shop',
        status: 'OK',
        requestTimeMs: NOON,
        requestTimeSubNs: 0,
        tags: {},
        metadata: {},
        spans: '',
        ...trace,
      },
      assessments,
    },
    version,
    archivedAt: NOON,
  }
}

export function assessment(traceId: string, more: Partial<Assessment> = {}): Assessment {
  return {
    id: `as-${traceId}`,
    kind: 'feedback',
    name: 'polite',
    traceId,
    source: { type: 'CODE', id: 'polite' },
    createdAt: NOON,
    updatedAt: NOON,
    valid: true,
    ...more,
  }
}

/** The ids and versions that an archive gives. */
export async function versions(archive: Archive, query?: Parameters<Archive['read']>[0]): Promise<string[]> {
  return (await Array.fromAsync(archive.read(query))).map(({ stored, version }) => `${stored.trace.id} ${version}`)
}
