import { FormatFault, type TraceDraft } from '../format.ts'
import { parseExact } from '../std/exact.ts'
import { jsonFault } from '../std/syntax.ts'
import { readRequest } from './otlp.ts'
import { readBytes } from './protobuf.ts'
import { recordOf } from './wire.ts'

/** What exporters and receivers say to each other by OTLP/HTTP, in either encoding. */

export type Encoding = 'json' | 'protobuf'

/** What an exporter sent. */
export interface Export {
  readonly drafts: readonly TraceDraft[]
  /** One sentence for each span that cannot be read. */
  readonly refused: readonly string[]
}

/** Reads an exporter's request. @throws FormatFault where it is none at all */
export async function readExport(body: Uint8Array, encoding: Encoding): Promise<Export> {
  const refused: string[] = []
  const request = encoding === 'json' ? fromJson(body) : await readBytes(body)
  const drafts = readRequest(request, ({ message }) => refused.push(message))
  return { drafts, refused }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function fromJson(body: Uint8Array): unknown {
  let text: string
  try {
    text = UTF8.decode(body)
  } catch {
    throw new FormatFault('it is not UTF-8')
  }
  try {
    return recordOf(parseExact(text), 'it')
  } catch (fault) {
    if (fault instanceof FormatFault) throw fault
    if (fault instanceof RangeError) throw new FormatFault('it is nested too deeply')
    const { at, problem } = jsonFault(text)
    throw new FormatFault(`it is not JSON: ${problem} at character ${at + 1}`)
  }
}

/** Writes the answer to an export that was taken, `ExportTraceServiceResponse`. @param rejected spans that were not, with why */
export async function writeReply(
  encoding: Encoding,
  rejected: { readonly count: number; readonly message: string } | undefined,
): Promise<Uint8Array> {
  if (encoding === 'json') {
    const { count, message } = rejected ?? {}
    const partial = rejected && { partialSuccess: { rejectedSpans: String(count), errorMessage: message } }
    return Buffer.from(JSON.stringify(partial ?? {}))
  }
  if (!rejected) return new Uint8Array()
  const { PbfWriter } = await import('pbf')
  const pbf = new PbfWriter()
  pbf.writeMessage(
    1,
    ({ count, message }, inner) => {
      inner.writeVarintField(1, count)
      inner.writeBytesField(2, Buffer.from(message))
    },
    rejected,
  )
  return pbf.finish()
}

/** Writes the answer to an export that was not taken, `google.rpc.Status`. */
export async function writeFault(encoding: Encoding, code: number, message: string): Promise<Uint8Array> {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }))
  const { PbfWriter } = await import('pbf')
  const pbf = new PbfWriter()
  pbf.writeVarintField(1, code)
  pbf.writeBytesField(2, Buffer.from(message))
  return pbf.finish()
}
