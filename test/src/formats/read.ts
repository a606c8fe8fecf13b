import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTraceFiles } from '../../../src/formats/index.ts'
import { folder } from '../../data/evaluation.ts'

/** Writes a file and reads its traces. What is no text and no bytes is written as JSON. */
export async function readFrom(content: unknown, format?: string) {
  const path = join(folder(), 'traces.json')
  const isRaw = typeof content === 'string' || content instanceof Uint8Array
  writeFileSync(path, isRaw ? content : JSON.stringify(content))
  const { traces, mended, files } = await readTraceFiles([path], format)
  return { traces, notes: mended.map(({ note }) => note), formats: files[0]?.formats ?? [], path }
}
