import { tableFromArrays } from 'apache-arrow'
import { z } from 'zod'
import type { Row } from '../../src/row.ts'
import type { Source } from '../../src/source.ts'
import { arrow, csv, json, jsonl, parquet } from '../../src/sources/index.ts'

/** Checked by the compiler only: nothing here runs. */

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function holds<_ extends true>(): void {}

// Without a schema a source fits any predict.
const untyped = [csv('x'), jsonl('x'), json('x'), arrow('x'), parquet('x'), arrow(tableFromArrays({ x: [1] }))] as const
holds<Equal<(typeof untyped)[number], Source<any>>>()
const fits: Source<{ question: string }> = csv('x')

// A schema gives the inputs their type.
const schema = z.object({
  id: z.string().optional(),
  inputs: z.object({ question: z.string(), limit: z.coerce.number() }),
  outputs: z.string().optional(),
  expectations: z.object({ answer: z.string() }).optional(),
  tags: z.record(z.string(), z.string()).optional(),
})
interface Inputs {
  question: string
  limit: number
}
const typed = [
  csv('x', { schema }),
  jsonl('x', { schema }),
  json('x', { schema }),
  arrow('x', { schema }),
  parquet('x', { schema }),
] as const
holds<Equal<(typeof typed)[number], Source<Inputs>>>()

const transformed = csv('x', {
  schema: z.object({ q: z.string() }).transform(({ q }) => ({ inputs: { length: q.length } })),
})
holds<Equal<typeof transformed, Source<{ length: number }>>>()

async function reads(): Promise<void> {
  for await (const row of csv('x', { schema })) {
    const row2: Row<Inputs> = row
    const limit: number | undefined = row2.inputs?.limit
    // @ts-expect-error limit is a number
    const text: string | undefined = row.inputs?.limit
    console.log(limit, text)
  }
}

// @ts-expect-error the inputs are others
const other: Source<{ answer: string }> = csv('x', { schema })

// @ts-expect-error what the schema gives is no row
csv('x', { schema: z.object({ question: z.string() }) })

// @ts-expect-error a tag is a text
csv('x', { schema: z.object({ inputs: z.string(), tags: z.object({ n: z.number() }) }) })

// @ts-expect-error only CSV has delimiters
jsonl('x', { delimiter: ';' })

// @ts-expect-error there is no such part
csv('x', { columns: { input: ['question'] } })

// @ts-expect-error a path or a table
arrow({ rows: [] })

export { fits, other, reads }
