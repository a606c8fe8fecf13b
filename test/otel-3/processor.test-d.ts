import { type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { expectTypeOf } from 'vitest'
import { EvaluateSpanProcessor } from '../../src/otel.ts'

expectTypeOf<EvaluateSpanProcessor>().toExtend<SpanProcessor>()
new TracerProvider({ spanProcessors: [new EvaluateSpanProcessor()] })
