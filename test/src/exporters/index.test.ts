import { expect, test } from 'vitest'
import { exporterFor, exporters } from '../../../src/exporters/index.ts'

test('exporterFor() chooses by the ending, in whatever case', () => {
  for (const exporter of exporters) {
    for (const ending of exporter.extensions) {
      expect(exporterFor(`some.folder/run${ending}`)).toBe(exporter)
      expect(exporterFor(`RUN${ending.toUpperCase()}`)).toBe(exporter)
    }
  }
})

test('exporterFor() lists the formats when there is none', () => {
  expect(() => exporterFor('run.xlsx')).toThrow(
    new TypeError(
      'Cannot tell the format of an exported run from "run.xlsx"\n' +
        'Hint: end its name with .jsonl (complete, can be opened again), .arrow (complete, can be opened again), ' +
        '.csv (a flat table), .parquet (a flat table)',
    ),
  )
  for (const path of ['run', 'run.', '.jsonl', 'run.jsonl.gz', 7 as unknown as string]) {
    expect(() => exporterFor(path)).toThrow(TypeError)
  }
})
