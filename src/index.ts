import './enrol.ts'

export { type Agreement, agreement, type JudgedRun } from './agreement.ts'
export { exportTraces, type TraceExportOptions } from './archive.ts'
export { deltaTraces } from './archived.ts'
export type { DeltaTracesOptions } from './archives/traces.ts'
export {
  type AssessmentUpdate,
  deleteAssessment,
  type ExpectationEntry,
  type FeedbackCorrection,
  type FeedbackEntry,
  getAssessment,
  logExpectation,
  logFeedback,
  overrideFeedback,
  updateAssessment,
} from './assess.ts'
export type { ToolCall } from './calls.ts'
export type { Aggregation, AggregationName, Column, ColumnKind } from './column.ts'
export type { FoundDocument, RetrievedDocument } from './documents.ts'
export { EvaluationError, type EvaluationErrorCode } from './errors.ts'
export { setExperiment } from './experiment.ts'
export {
  type Assessment,
  type AssessmentError,
  type AssessmentSource,
  type Feedback,
  type FeedbackInit,
  type FeedbackValue,
  feedback,
  type GivenFeedback,
  type Primitive,
} from './feedback.ts'
export type { BaselineNote, Finding, FindingReason, FindingRow, GateSpec, Method, Verdict } from './finding.ts'
export type { Budget, Gate, GateOptions, Gates, MetricGates } from './gate.ts'
export { Run } from './handle.ts'
export type { UsageTotals } from './meter.ts'
export { listRuns, type OpenOptions, openRun, type SearchOptions, searchTraces } from './open.ts'
export type { EvaluateOptions, ModelBudget, ModelPrice } from './options.ts'
export type { Predict, PredictContext } from './predict.ts'
export type { Row } from './row.ts'
export type {
  Fold,
  LatencySummary,
  RunJob,
  RunNotice,
  RunProblem,
  RunRecord,
  RunRepeats,
  RunScorer,
  RunSelection,
  RunStatus,
  RunTest,
  RunTotals,
} from './run.ts'
export {
  type FunctionScorer,
  type RegisteredScorer,
  Scorer,
  type ScorerArgs,
  type ScorerBase,
  type ScorerOptions,
  type ScorerResult,
  type SessionArgs,
  type SessionScorer,
  scorer,
} from './scorer.ts'
export type { ColumnMapping, Source, SourceOptions, StandardSchema } from './source.ts'
export { type ArrowTable, arrow } from './sources/arrow.ts'
export { type CsvOptions, csv } from './sources/csv.ts'
export { json } from './sources/json.ts'
export { jsonl } from './sources/jsonl.ts'
export { parquet } from './sources/parquet.ts'
export type { Kappa, Share } from './std/agreement.ts'
export type { Interval } from './std/stats.ts'
export {
  type AssessmentQuery,
  type Span,
  type SpanEvent,
  type SpanQuery,
  type SpanType,
  spanDurationMs,
  Trace,
  type TraceData,
  type TraceStatus,
} from './trace.ts'
export { type OpenSpan, type SpanOptions, span, type TraceOptions, trace } from './tracer.ts'
export {
  type ImportOptions,
  importTraces,
  type TraceFormatName,
  type TraceImport,
  type TracePaths,
  type TracesOptions,
  traces,
} from './traces.ts'
export { type RowResult, type TracePage, TraceSet } from './traceset.ts'
export { type TraceUsage, type Usage, usageOf } from './usage.ts'
export { type Data, evaluate } from './workspace.ts'
