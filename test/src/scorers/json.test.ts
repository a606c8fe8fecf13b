import { expect, test } from 'vitest'
import { jsonValid } from '../../../src/scorers/index.ts'

const value = (outputs: unknown): unknown => jsonValid()({ outputs }).value

test.each(['{"a":[1,null]}', '42', '"text"', ' true\n'])('jsonValid() says yes to %j', (outputs) => {
  expect(value(outputs)).toBe('yes')
})

test.each(['', '{a: 1}', '```json\n{}\n```', '{} and more', '{"a":1,}', 'NaN', "'a'"])(
  'jsonValid() says no to %j with the parser’s reason',
  (outputs) => {
    expect(jsonValid()({ outputs })).toMatchObject({
      value: 'no',
      rationale: expect.stringMatching(/^Not JSON: .+JSON/s),
    })
  },
)

test('jsonValid() says yes to data that JSON holds as it is, and no to other data', () => {
  expect(value({ a: [1, 'x', null] })).toBe('yes')
  expect(value(7)).toBe('yes')
  for (const outputs of [{ at: new Date(0) }, [Number.NaN], { a: undefined }, 1n, new Map()])
    expect(value(outputs)).toBe('no')
  expect(jsonValid()({ outputs: { at: new Date(0) } })).toMatchObject({
    rationale: 'Not JSON: JSON cannot hold an object with at as it is',
  })
})
