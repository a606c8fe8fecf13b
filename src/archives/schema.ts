import type { SchemaElement } from 'hyparquet'

/** The types of a Delta table, as its log writes them and as its data files do. */

export type SimpleType = 'string' | 'long' | 'double' | 'boolean' | 'timestamp' | 'date'

export type DeltaType =
  | SimpleType
  | { readonly type: 'struct'; readonly fields: readonly DeltaField[] }
  | { readonly type: 'array'; readonly elementType: DeltaType; readonly containsNull: boolean }
  | {
      readonly type: 'map'
      readonly keyType: DeltaType
      readonly valueType: DeltaType
      readonly valueContainsNull: boolean
    }

export interface DeltaField {
  readonly name: string
  readonly type: DeltaType
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, unknown>>
}

/** Every field may be null for the table's sake: a stricter one could never be relaxed, since other writers rely on it. */
export function field(name: string, type: DeltaType): DeltaField {
  return { name, type, nullable: true, metadata: {} }
}

export function struct(fields: readonly DeltaField[]): DeltaType {
  return { type: 'struct', fields }
}

export function list(elementType: DeltaType): DeltaType {
  return { type: 'array', elementType, containsNull: true }
}

export function map(keyType: DeltaType, valueType: DeltaType): DeltaType {
  return { type: 'map', keyType, valueType, valueContainsNull: true }
}

const PHYSICAL = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  long: { type: 'INT64' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
} as const satisfies Record<SimpleType, Partial<SchemaElement>>

/**
 * Gives the schema of a data file, in the flat form of Parquet. What we never leave out is required there whatever the table allows: lists, maps
 * and their items. Each level that may be null costs the reader another object per item.
 */
export function parquetSchema(fields: readonly DeltaField[]): SchemaElement[] {
  return [
    { name: 'root', num_children: fields.length },
    ...fields.flatMap(({ name, type }) => elements(name, type, typeof type === 'string' ? 'OPTIONAL' : 'REQUIRED')),
  ]
}

function elements(name: string, type: DeltaType, repetition_type: 'OPTIONAL' | 'REQUIRED'): SchemaElement[] {
  if (typeof type === 'string') return [{ name, repetition_type, ...PHYSICAL[type] }]
  switch (type.type) {
    case 'struct':
      return [
        { name, repetition_type, num_children: type.fields.length },
        ...type.fields.flatMap((one) => elements(one.name, one.type, 'OPTIONAL')),
      ]
    case 'array':
      return [
        { name, repetition_type, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elements('element', type.elementType, 'REQUIRED'),
      ]
    case 'map':
      return [
        { name, repetition_type, num_children: 1, converted_type: 'MAP', logical_type: { type: 'MAP' } },
        { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
        ...elements('key', type.keyType, 'REQUIRED'),
        ...elements('value', type.valueType, 'OPTIONAL'),
      ]
  }
}

/** Gives a type as people write it: `map<string,string>`. */
export function typeText(type: unknown): string {
  if (typeof type === 'string') return type
  const { type: kind, ...of } = Object(type) as Record<string, any>
  if (kind === 'array') return `array<${typeText(of.elementType)}>`
  if (kind === 'map') return `map<${typeText(of.keyType)},${typeText(of.valueType)}>`
  if (kind === 'struct' && Array.isArray(of.fields))
    return `struct<${of.fields.map((one: DeltaField) => `${one.name}:${typeText(one.type)}`).join(',')}>`
  return 'an unknown type'
}

/** What does not fit, and where: a path of names. */
export interface Misfit {
  readonly column: string
  readonly found: string
  readonly wanted: string
}

/**
 * Gives the first field of a table that rows of these fields cannot be appended to. Fields may stand in any order; the table's own ones beside
 * them stay null.
 */
export function misfit(found: readonly DeltaField[], wanted: readonly DeltaField[]): Misfit | undefined {
  const there = new Map(found.map((one) => [one.name, one]))
  for (const { name, type } of wanted) {
    const other = there.get(name)
    if (other === undefined) return { column: name, found: 'no such column', wanted: typeText(type) }
    const inner = typeMisfit(name, other.type, type)
    if (inner) return inner
  }
  const names = new Set(wanted.map(({ name }) => name))
  const strict = found.find(({ name, nullable }) => !nullable && !names.has(name))
  return (
    strict && { column: strict.name, found: `${typeText(strict.type)} that is never null`, wanted: 'no such column' }
  )
}

function typeMisfit(column: string, found: DeltaType, wanted: DeltaType): Misfit | undefined {
  const plain = { column, found: typeText(found), wanted: typeText(wanted) }
  if (typeof wanted === 'string' || typeof found === 'string') return found === wanted ? undefined : plain
  if (found.type === 'struct' && wanted.type === 'struct') {
    const inner = misfit(found.fields, wanted.fields)
    return inner && { ...inner, column: `${column}.${inner.column}` }
  }
  if (found.type === 'array' && wanted.type === 'array')
    return typeMisfit(`${column}.element`, found.elementType, wanted.elementType)
  if (found.type === 'map' && wanted.type === 'map')
    return (
      typeMisfit(`${column}.key`, found.keyType, wanted.keyType) ??
      typeMisfit(`${column}.value`, found.valueType, wanted.valueType)
    )
  return plain
}
