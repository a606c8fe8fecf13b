import { BasicTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expectTypeOf } from 'vitest'
import { EvaluateSpanProcessor } from '../../src/otel.ts'

expectTypeOf<EvaluateSpanProcessor>().toExtend<SpanProcessor>()
new BasicTracerProvider({ spanProcessors: [new EvaluateSpanProcessor()] })
