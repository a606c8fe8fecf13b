import type { TraceFormat } from '../format.ts'
import { writeExact } from '../std/exact.ts'
import { isMlflow, readMlflow } from './mlflow/reader.ts'
import { writeTrace } from './mlflow/writer.ts'

/**
 * MLflow's trace JSON in its three forms: what `Trace.to_json()` writes (ids in base64, attributes as JSON in text), what the REST
 * interface answers (`trace_info`, attributes as OTLP has them), and that of schema 2 (`context`, hex ids). Written in the first.
 */
export const mlflow: TraceFormat = {
  name: 'mlflow',
  title: 'MLflow trace JSON',
  extension: '.json',
  detect: isMlflow,
  read: readMlflow,
  write: (traces) => {
    const written = traces.map(writeTrace)
    return writeExact(written.length === 1 ? written[0] : written)
  },
}
