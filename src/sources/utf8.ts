import type { SourceFile } from './file.ts'

/** Part of a text file. A text ends between two characters; its bytes may end within one. */
export interface Utf8Chunk {
  readonly bytes: Buffer
  readonly text: string
}

const CHUNK_BYTES = 1 << 16
const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/**
 * Reads a text file piece by piece, without its byte order mark.
 * @throws EvaluationError SOURCE_MALFORMED for bytes that are no UTF-8, with line and byte, once all before them has been given
 */
export async function* utf8(file: SourceFile): AsyncGenerator<Utf8Chunk> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let offset = 0
  let line = 1
  let before: Uint8Array = new Uint8Array()
  for (;;) {
    const { buffer, bytesRead } = await file.handle.read(Buffer.allocUnsafeSlow(CHUNK_BYTES), 0, CHUNK_BYTES, null)
    const ended = bytesRead === 0
    let bytes: Buffer = buffer.subarray(0, bytesRead)
    if (offset === 0) bytes = withoutMark(bytes, file)
    let text = ''
    try {
      text = decoder.decode(bytes, { stream: !ended })
    } catch {
      const cut = cutOff(before)
      const valid = validPart(Buffer.concat([cut, bytes]))
      const length = Buffer.byteLength(valid)
      yield { bytes: bytes.subarray(0, Math.max(0, length - cut.length)), text: valid }
      const at = offset + (bytesRead - bytes.length) + length - cut.length
      const problem = ended ? 'the file ends within a character' : `the character at byte ${at + 1} is none`
      const hint = 'save the file as UTF-8'
      throw file.malformed(`line ${line + lineEnds(valid)} is not UTF-8: ${problem}`, ended ? undefined : hint)
    }
    if (ended) return
    yield { bytes, text }
    offset += bytesRead
    line += lineEnds(text)
    before = bytes
  }
}

function withoutMark(bytes: Buffer, file: SourceFile): Buffer {
  const [first, second] = bytes
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  if (marked || first === 0 || second === 0) {
    throw file.malformed('it is not UTF-8: it begins like UTF-16', 'save the file as UTF-8')
  }
  return bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes
}

/** Gives the text before the first byte that no continuation could make valid. */
function validPart(bytes: Uint8Array): string {
  let low = 0
  let high = bytes.length
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (decoded(bytes.subarray(0, middle)) === undefined) high = middle - 1
    else low = middle
  }
  return decoded(bytes.subarray(0, low)) ?? ''
}

/** Gives the complete characters, or undefined where there is an impossible one. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true })
  } catch {
    return undefined
  }
}

/** Gives the first bytes of a character whose others stand in the next chunk. */
function cutOff(bytes: Uint8Array): Uint8Array {
  let last = bytes.subarray(-3)
  while (last.length > 0 && ((last[0] as number) & 0xc0) === 0x80) last = last.subarray(1)
  return last.subarray(Buffer.byteLength(decoded(last) ?? ''))
}

function lineEnds(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
