import type { Action, Add, MetaData, Protocol } from './actions.ts'
import { pieces, recordOf } from './pieces.ts'

/** Checkpoints: Parquet files that say in one piece what all commits up to a version add up to. Other writers leave them. */

export interface Checkpoint {
  readonly version: number
  readonly names: readonly string[]
}

const CHECKPOINT = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$/

/** Gives the newest checkpoint of which every part is there. */
export function newestCheckpoint(names: readonly string[]): Checkpoint | undefined {
  const parts = new Map<string, { version: number; of: number; names: string[] }>()
  for (const name of names) {
    const [, version, , of = '1'] = CHECKPOINT.exec(name) ?? []
    if (version === undefined) continue
    const key = `${version} ${of}`
    const there = parts.get(key) ?? { version: Number(version), of: Number(of), names: [] }
    there.names.push(name)
    parts.set(key, there)
  }
  const whole = [...parts.values()].filter((one) => one.names.length === one.of)
  return whole.reduce<Checkpoint | undefined>(
    (best, one) => (best && best.version >= one.version ? best : one),
    undefined,
  )
}

/** Gives what a part of a checkpoint adds up from. */
export async function* checkpointActions(path: string): AsyncGenerator<Action> {
  for await (const { rows } of pieces(path, ['protocol', 'metaData', 'add', 'txn'])) {
    for (const row of rows) {
      const { protocol, metaData, add, txn } = row as Record<string, Record<string, any> | null | undefined>
      yield {
        protocol: protocol?.minReaderVersion ? (protocol as unknown as Protocol) : null,
        metaData: metaData?.schemaString
          ? ({ ...metaData, configuration: recordOf(metaData.configuration) } as unknown as MetaData)
          : null,
        add: add?.path
          ? ({ ...add, size: Number(add.size), partitionValues: recordOf(add.partitionValues) } as unknown as Add)
          : null,
        txn: txn?.appId ? { appId: txn.appId, version: Number(txn.version) } : null,
      }
    }
  }
}
