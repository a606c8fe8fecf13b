import { randomUUID } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { fieldsOf, type MetaData, type Protocol, type Snapshot } from './actions.ts'
import { COLUMNS, PARTITION } from './columns.ts'
import { unfit } from './fault.ts'
import { type DeltaField, misfit, struct } from './schema.ts'

/** What a table of archived traces is like, and whether one that is there is such a table. */

const READER = 1
const WRITER = 2
/** With reader 3 and writer 7, a table names what it needs; of these, appending needs nothing but what is checked here. */
const FEATURES = { reader: 3, writer: 7, known: new Set(['appendOnly', 'invariants']) }

/** Gives the actions that begin a table. */
export function firstActions(now: number): object[] {
  return [
    { protocol: { minReaderVersion: READER, minWriterVersion: WRITER } satisfies Protocol },
    {
      metaData: {
        id: randomUUID(),
        name: 'traces',
        format: { provider: 'parquet', options: {} },
        schemaString: JSON.stringify(struct(COLUMNS)),
        partitionColumns: [PARTITION],
        configuration: {},
        createdTime: now,
      } satisfies MetaData & Record<string, unknown>,
    },
  ]
}

/** @throws EvaluationError ARCHIVE_UNFIT for a table that cannot be read rightly */
export function requireReadable(location: string, { protocol, metaData, files }: Snapshot): void {
  const { minReaderVersion, readerFeatures } = protocol as Protocol
  requireVersion(location, 'read', minReaderVersion, READER, FEATURES.reader, readerFeatures)
  const { configuration, partitionColumns } = metaData as MetaData
  const mapping = configuration?.['delta.columnMapping.mode'] ?? 'none'
  if (mapping !== 'none') throw unfit(location, `it maps its columns by ${mapping}, which is not known here`)
  for (const { deletionVector, path } of files.values()) {
    if (deletionVector)
      throw unfit(location, `its file "${path}" has a deletion vector, which is not known here`, 'rewrite the table')
    if (/^[a-z][a-z0-9+.-]*:|^\/|(^|\/)\.\.(\/|$)/i.test(path))
      throw unfit(location, `its file "${path}" is outside of its folder`)
  }
  if (partitionColumns.join() !== PARTITION) {
    const found = partitionColumns.length === 0 ? 'not partitioned' : `partitioned by ${partitionColumns.join(', ')}`
    throw unfit(location, `it is ${found}, and has to be partitioned by ${PARTITION}`, HINT)
  }
  const wrong = misfit(fields(location, metaData as MetaData), COLUMNS)
  if (wrong) throw unfit(location, `column "${wrong.column}": found ${wrong.found}, wanted ${wrong.wanted}`, HINT)
}

const HINT = 'archive to another folder, and a table that fits is made there'

/** @throws EvaluationError ARCHIVE_UNFIT for a table that cannot be appended to rightly */
export function requireWritable(location: string, snapshot: Snapshot): void {
  requireReadable(location, snapshot)
  const { minWriterVersion, writerFeatures } = snapshot.protocol as Protocol
  requireVersion(location, 'write', minWriterVersion, WRITER, FEATURES.writer, writerFeatures)
  const metaData = snapshot.metaData as MetaData
  const ruled = fields(location, metaData).find(({ metadata }) => metadata?.['delta.invariants'] !== undefined)
  if (ruled) throw unfit(location, `its column "${ruled.name}" has an invariant, which cannot be checked here`, HINT)
}

function fields(location: string, metaData: MetaData): DeltaField[] {
  try {
    return fieldsOf(metaData)
  } catch (cause) {
    throw unfit(location, `its schema cannot be understood: ${messageOf(cause)}`)
  }
}

function requireVersion(
  location: string,
  verb: 'read' | 'write',
  found: number,
  known: number,
  named: number,
  features: readonly string[] | null | undefined,
): void {
  if (found <= known) return
  const foreign = (features ?? []).filter((feature) => !FEATURES.known.has(feature))
  if (found === named && foreign.length === 0) return
  const needs = found === named ? `the features ${foreign.join(', ')}` : `version ${found} of the protocol`
  throw unfit(location, `to ${verb} it needs ${needs}; known here is version ${known} without features`, HINT)
}
