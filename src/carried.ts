import { type AssessmentWrite, overriddenFirst } from './assessment.ts'
import { quote } from './errors.ts'
import type { Assessment } from './feedback.ts'
import type { Store } from './store.ts'

/** Assessments that come with a trace from elsewhere. */

/** Gives a trace's assessments, the oldest first; the store links what overrides what by the ids of the file. */
export async function assessmentsOf(
  data: { readonly assessments: readonly Assessment[] },
  store: Pick<Store, 'getRun'>,
  say: (note: string) => void,
): Promise<AssessmentWrite[]> {
  const ids = new Set(data.assessments.map(({ id }) => id))
  const known = new Map<string, boolean>()
  for (const { runId } of data.assessments) {
    if (runId !== undefined && !known.has(runId)) known.set(runId, (await store.getRun(runId)) !== undefined)
  }
  const seen = new Set<string>()
  return overriddenFirst(data.assessments.toSorted((a, b) => a.createdAt - b.createdAt)).map(
    ({ traceId: _, runId, overrides, ...rest }) => {
      const isLinked = overrides !== undefined && seen.has(overrides)
      if (overrides !== undefined && !isLinked) {
        const why = ids.has(overrides) ? 'which goes back to it' : 'which is not in the file'
        say(`assessment "${rest.name}" overrides ${quote(overrides)}, ${why}: it stands by itself`)
      }
      seen.add(rest.id)
      const isKnown = runId !== undefined && known.get(runId)
      return {
        ...rest,
        ...(isLinked && { overrides }),
        ...(isKnown && { runId }),
        // A run that the store does not have cannot be referred to; the assessment still says where it comes from.
        ...(runId !== undefined &&
          !isKnown && { metadata: { ...rest.metadata, 'mlflow.assessment.sourceRunId': runId } }),
      }
    },
  )
}
