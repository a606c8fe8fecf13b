import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'

/** Bodies of requests, read so that nobody can fill the memory by sending them. */

/** Why a body was not read: it is longer than allowed, there is no room for it, or whoever sent it went away. */
export type Unread = 'long' | 'full' | 'gone'

/**
 * Reads a stream whole. What is not read is thrown away as it comes, and nothing of it kept.
 * @param room is asked for every piece whether there is room for so many bytes more
 */
export function readBody(stream: Readable, limit: number, room: (bytes: number) => boolean): Promise<Buffer | Unread> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let length = 0
    const settle = (result: Buffer | Unread): void => {
      stream.off('data', take).off('end', whole).off('close', gone)
      if (typeof result === 'string') {
        pieces.length = 0
        stream.resume()
      }
      resolve(result)
    }
    const take = (piece: Buffer): void => {
      length += piece.length
      if (length > limit) settle('long')
      else if (room(piece.length)) pieces.push(piece)
      else settle('full')
    }
    const whole = (): void => settle(Buffer.concat(pieces, length))
    const gone = (): void => settle('gone')
    // An upload that breaks off is an error of the stream too, which nobody else waits for.
    stream.on('error', gone)
    stream.on('data', take).on('end', whole).on('close', gone)
  })
}

export type Packing = 'gzip' | 'deflate' | 'none'

const UNPACK = { gzip: promisify(gunzip), deflate: promisify(inflate) }

/** Says that what a body unpacks to is longer than allowed. */
export class TooLongError extends RangeError {
  override readonly name = 'TooLongError'
}

/**
 * Unpacks a body. No more is unpacked than allowed.
 * @throws TooLongError
 * @throws Error of zlib for what is damaged or cut off
 */
export async function unpack(body: Buffer, packing: Packing, limit: number): Promise<Buffer> {
  if (packing === 'none') return body
  try {
    return await UNPACK[packing](body, { maxOutputLength: limit })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error
    throw new TooLongError(`it unpacks to more than ${limit} bytes`)
  }
}
