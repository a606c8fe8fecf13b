import { expect, test } from 'vitest'
import { must } from '../../../src/gates/index.ts'
import { sheetOf } from '../../data/sheet.ts'

const where = "tag.critical = 'yes'"
const sheet = sheetOf({
  columns: { safe: [true, false, 'yes', undefined, 'no'] },
  found: { [where]: [0, 2] },
  failed: [3],
})

test('must() passes when every row that its filter finds does', () => {
  expect(must('safe', where).check({ sheet })).toMatchObject({
    verdict: 'pass',
    rows: 2,
    of: 5,
    message: `safe passes on all 2 rows that ${where} finds`,
  })
})

test('must() names the rows that do not pass; one without a value does not', () => {
  const found = must('safe').check({ sheet })
  expect(found).toMatchObject({ verdict: 'fail', blocks: true, rows: 5, worstCount: 3, figure: 0.4 })
  expect(found.worst?.map(({ rowId }) => rowId)).toEqual(['q-2', 'q-4', 'q-5'])
  expect(found.message).toBe('safe does not pass on 3 of 5 rows (1 of them without a value)')
})

test('must() fails where its filter finds nothing, on an unknown column, and on numbers', () => {
  expect(must('safe', "tag.critical = 'no'").check({ sheet })).toMatchObject({
    verdict: 'fail',
    reason: 'NO_ROWS',
    rows: 0,
  })
  expect(must('save').check({ sheet }).message).toBe('there is no column "save" (did you mean "safe"?)')
  const numbers = sheetOf({ columns: { length: [12, 1] } })
  expect(must('length').check({ sheet: numbers }).message).toBe(
    'column "length" cannot be asked of each row: it holds numbers such as 12, wanted verdicts',
  )
})

test('must() refuses a filter that cannot be one, at once', () => {
  expect(() => must('safe', 'tag.critical =')).toThrow('Cannot')
})
