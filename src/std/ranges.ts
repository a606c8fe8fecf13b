import type { FileHandle } from 'node:fs/promises'
// By its default: naming a function that an older Node lacks would not even load.
import zlib from 'node:zlib'
import type { AsyncBuffer, Compressors } from 'hyparquet'

/** Files of which pieces are read, as columnar formats want them. */

/** Undoes the compressions of Parquet, beside Snappy. */
export const decompressors: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  // Node has it from 22.15.
  ...(typeof zlib.zstdDecompressSync === 'function' && { ZSTD: (bytes: Uint8Array) => zlib.zstdDecompressSync(bytes) }),
}

/** Gives what reads pieces of an open file; a file that ends before its size throws. */
export function rangesOf(handle: FileHandle, size: number): AsyncBuffer {
  return {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = new Uint8Array(Math.max(0, end - start))
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled)
        if (bytesRead === 0) throw new Error(`the file ends at byte ${start + filled}`)
        filled += bytesRead
      }
      return bytes.buffer
    },
  }
}
