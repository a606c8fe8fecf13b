import { expect, test } from 'vitest'
import { includes } from '../../../src/scorers/index.ts'

const outputs = 'MLflow is an open-source platform'
const expecting = (expected_keywords: unknown) => ({ outputs, expectations: { expected_keywords } })

test('includes() asks for all keywords and names the missing ones', () => {
  expect(includes()(expecting(['mlflow', 'OPEN-source']))).toMatchObject({ value: 'yes' })
  expect(includes()(expecting(['mlflow', 'machine learning', 'cloud']))).toMatchObject({
    value: 'no',
    rationale: 'Missing keywords: "machine learning", "cloud"',
  })
})

test('includes() in mode any asks for one', () => {
  expect(includes({ mode: 'any' })(expecting(['cloud', 'platform'])).value).toBe('yes')
  expect(includes({ mode: 'any' })(expecting(['cloud', 'edge']))).toMatchObject({
    value: 'no',
    rationale: 'None of the keywords: "cloud", "edge"',
  })
})

test('includes() heeds case when asked', () => {
  expect(includes({ ignoreCase: false })(expecting(['mlflow'])).value).toBe('no')
  expect(includes({ ignoreCase: false })(expecting(['MLflow'])).value).toBe('yes')
})

test('includes() takes a row whose list of keywords is empty for fulfilled, and says so', () => {
  const none = { value: 'yes', rationale: 'No keywords were expected' }
  for (const args of [expecting([]), expecting('')]) {
    expect(includes()(args)).toMatchObject(none)
    expect(includes({ mode: 'any' })(args)).toMatchObject(none)
  }
})

test('includes() gives an error where the row does not say what to look for, not a silent yes', () => {
  for (const args of [{ outputs, expectations: {} }, { outputs }, expecting(null)]) {
    expect(includes()(args).error).toMatchObject({ code: 'EXPECTATION_MISSING' })
  }
  expect(includes()({ outputs, expectations: { expected_keyword: ['cloud'] } }).error).toMatchObject({
    message: expect.stringContaining('(did you mean "expected_keyword"?)'),
  })
})

test('includes() takes a text for one keyword, or splits it where told to', () => {
  expect(includes()(expecting('open-source platform')).value).toBe('yes')
  expect(includes()(expecting('mlflow; cloud')).value).toBe('no')
  const split = includes({ separator: ';' })
  expect(split(expecting('mlflow; platform ;')).value).toBe('yes')
  expect(split(expecting('mlflow; cloud'))).toMatchObject({ rationale: 'Missing keywords: "cloud"' })
  expect(split(expecting(['a;b']))).toMatchObject({ rationale: 'Missing keywords: "a;b"' })
})

test('includes() takes numbers among the keywords', () => {
  expect(includes()({ outputs: '2+2 is 4', expectations: { expected_keywords: [4, 'is'] } }).value).toBe('yes')
})

test('includes() gives an error for keywords that are none', () => {
  const message = (keywords: unknown): unknown => (includes()(expecting(keywords)).error as Error).message
  const wanted = 'expectation "expected_keywords" must be text or a list of texts that are not empty, found '
  expect(message({ a: 1 })).toBe(`${wanted}an object with a`)
  expect(message(['mlflow', null])).toBe(`${wanted}a list with null`)
  expect(message(['mlflow', ''])).toBe(`${wanted}a list with ""`)
})

test('includes() looks for fixed keywords without any expectation', () => {
  expect(includes({ keywords: 'platform' })({ outputs }).value).toBe('yes')
  expect(includes({ keywords: ['platform', 'cloud'] })({ outputs })).toMatchObject({ value: 'no' })
})

test('includes() refuses keywords together with what is read from the row', () => {
  const both = 'Cannot make includes(): "keywords" and'
  expect(() => includes({ keywords: 'a', expectation: 'b' })).toThrow(`${both} "expectation" exclude each other`)
  expect(() => includes({ keywords: 'a', separator: ';' })).toThrow(`${both} "separator" exclude each other`)
  expect(() => includes({ keywords: ['a', ''] })).toThrow('"keywords"[1] must not be empty')
})
