import type { DeltaField } from './schema.ts'

/** The actions of a Delta log that are understood here, and the table that they add up to. Follows the Delta transaction log protocol. */

export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures?: readonly string[] | null
  readonly writerFeatures?: readonly string[] | null
}

export interface MetaData {
  readonly id: string
  /** The fields of the table as JSON: `{ type: 'struct', fields: […] }`. */
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration: Readonly<Record<string, string>>
}

/** One data file of the table. */
export interface Add {
  /** From the table's folder, as a URI. */
  readonly path: string
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly size: number
  /** JSON. */
  readonly stats?: string | null
  readonly deletionVector?: unknown
}

/** One line of a commit: one of these is there, or an action that is not needed here. */
export interface Action {
  readonly protocol?: Protocol | null
  readonly metaData?: MetaData | null
  readonly add?: Add | null
  readonly remove?: { readonly path: string } | null
  readonly txn?: { readonly appId: string; readonly version: number } | null
}

/** A table as it was after one commit. */
export interface Snapshot {
  version: number
  protocol: Protocol | undefined
  metaData: MetaData | undefined
  readonly files: Map<string, Add>
  readonly transactions: Map<string, number>
}

export function emptySnapshot(): Snapshot {
  return { version: -1, protocol: undefined, metaData: undefined, files: new Map(), transactions: new Map() }
}

/** Puts one action into effect. */
export function apply(snapshot: Snapshot, { protocol, metaData, add, remove, txn }: Action): void {
  if (protocol) snapshot.protocol = protocol
  if (metaData) snapshot.metaData = metaData
  if (remove) snapshot.files.delete(remove.path)
  if (add) snapshot.files.set(add.path, add)
  if (txn) snapshot.transactions.set(txn.appId, txn.version)
}

/** @throws Error for what is no schema */
export function fieldsOf(metaData: MetaData): DeltaField[] {
  const schema = JSON.parse(metaData.schemaString) as { readonly fields?: unknown }
  if (!Array.isArray(schema?.fields)) throw new Error('it has no fields')
  return schema.fields as DeltaField[]
}
