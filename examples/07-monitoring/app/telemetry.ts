import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { NodeSDK } from '@opentelemetry/sdk-node'

/**
 * The OpenTelemetry Node SDK as any production app has it; nothing here knows of evaluations. Traces go to OTEL_EXPORTER_OTLP_ENDPOINT, else to
 * http://127.0.0.1:4318, where `vitest-evaluate monitor` listens.
 */
export const sdk = new NodeSDK({ serviceName: 'support-bot', traceExporter: new OTLPTraceExporter() })

sdk.start()
