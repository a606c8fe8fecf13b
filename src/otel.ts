export { traceOpenAI } from './client.ts'
export { EvaluateSpanProcessor, type OtelContext, type OtelSpan } from './processor.ts'
