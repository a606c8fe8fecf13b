import type { TraceData } from '../../trace.ts'

/** Names that MLflow reserves, and ours for what it has no place for. */

/** Metadata of traces that were exported here. */
export const OWN = 'vitest-evaluate.trace'
export const ROW = 'vitest-evaluate.rowId'
export const NAME = 'mlflow.traceName'
export const SESSION = 'mlflow.trace.session'
/** MLflow's field for the caller's own id: metadata here, and so it can be searched. */
export const CLIENT = 'client_request_id'
export const RUN = 'mlflow.sourceRun'
export const REQUEST_ID = 'mlflow.traceRequestId'
export const TYPE = 'mlflow.spanType'
export const INPUTS = 'mlflow.spanInputs'
export const OUTPUTS = 'mlflow.spanOutputs'

/** What a file of ours holds beside what MLflow has a place for. */
export interface Own {
  readonly head: Partial<TraceData>
  /** Names of tags and metadata that the export has added. */
  readonly added: readonly string[]
}

/** An object of one field, or of none where there is no value. */
export function stated<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value }
}
