import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { type Cell, type TableColumn, table } from '../../reporters/table.ts'
import { HOSTILE } from './samples.ts'

const plain = (width: number) => ({ width, colors: false })

test('table() looks as its golden: alignment, wide characters, spans', async () => {
  const columns: TableColumn[] = [
    { header: 'run', min: 6 },
    { header: 'rows', align: 'right' },
    { header: 'mean', align: 'decimal' },
    { header: 'started', drop: 1 },
  ]
  const rows: Cell[][] = [
    ['support bot', '40', '0.95', '2026-01-01'],
    ['検索ボット 🔍', '12,000', '142.3', '2026-01-02'],
    ['a name that is rather long', '1', '12', '2026-01-03'],
    ['', { text: 'over the other three, to the edge of the screen if need be', span: 3 }],
    ['none', '·', '', ''],
  ]
  const drawn = [80, 50, 30].map((width) => table(rows, { columns, screen: plain(width), indent: 1 }).join('\n'))
  await expect(`${drawn.join('\n\n')}\n`).toMatchFileSnapshot('../golden/table.txt')
})

test('table() is never wider than the screen and never takes a second line for a row', () => {
  const cell = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.constantFrom(...Object.values(HOSTILE), '検索ボット', '12.5', '-3'),
    fc.record({ text: fc.string({ unit: 'grapheme', maxLength: 60 }), span: fc.integer({ min: 1, max: 4 }) }),
  )
  const column = fc.record(
    {
      header: fc.string({ unit: 'grapheme', maxLength: 10 }),
      align: fc.constantFrom('left' as const, 'right' as const, 'decimal' as const),
      min: fc.integer({ min: 1, max: 5 }),
      drop: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: ['header'] },
  )
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 5 }),
      fc.array(fc.array(cell, { maxLength: 5 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 0, max: 3 }),
      (columns, rows, width, indent) => {
        const lines = table(
          rows.map((row) => row.slice(0, columns.length)),
          { columns, screen: plain(width), indent },
        )
        expect(lines).toHaveLength(rows.length + 1)
        for (const line of lines) {
          expect(stringWidth(line)).toBeLessThanOrEqual(width)
          expect(line).not.toMatch(/^\s*::|[\u0000-\u001f\u007f-\u009f]/)
        }
      },
    ),
  )
})

test('table() drops the lowest number first, then cuts the widest column that may be cut', () => {
  const columns: TableColumn[] = [
    { header: 'a', min: 4 },
    { header: 'b', drop: 2 },
    { header: 'c', drop: 1 },
  ]
  const rows = [['aaaaaaaaaa', 'bbbb', 'cccc']]
  const draw = (width: number) => table(rows, { columns, screen: plain(width) })[1]
  expect(draw(22)).toBe('aaaaaaaaaa  bbbb  cccc')
  expect(draw(21)).toBe('aaaaaaaaaa  bbbb')
  expect(draw(15)).toBe('aaaaaaaaaa')
  expect(draw(8)).toBe('aaaaaaa…')
  expect(draw(2)).toBe('a…')
})

test('table() puts decimal points below one another', () => {
  const lines = table([['0.95'], ['142.3'], ['12,034'], [''], ['1.5e+20']], {
    columns: [{ align: 'decimal' }],
    screen: plain(40),
  })
  expect(lines).toEqual(['     0.95', '   142.3', '12,034', '', '     1.5e+20'])
})

test('table() without headers has no line for them, and an empty table has no line but them', () => {
  expect(table([['a']], { columns: [{}], screen: plain(10) })).toEqual(['a'])
  expect(table([], { columns: [{ header: 'a' }, { header: 'b' }], screen: plain(10) })).toEqual(['a  b'])
})

test('table() asks a cell that is too wide for a shorter text', () => {
  const cell: Cell = { text: 'one · two · three', span: 2, shorten: (width) => `${width} columns` }
  const columns = [{}, {}, {}]
  expect(
    table(
      [
        [cell, '', 'x'],
        ['aaaa', 'bbbb', 'c'],
      ],
      { columns, screen: plain(13) },
    )[0],
  ).toBe('10 columns  x')
  expect(
    table(
      [
        [cell, '', 'x'],
        ['aaaa', 'bbbb', 'c'],
      ],
      { columns, screen: plain(20) },
    )[0],
  ).toBe('one · two · three  x')
})

test('table() cuts a cell of megabytes without reading it whole', () => {
  const started = performance.now()
  const lines = table([['検索'.repeat(10_000_000)]], { columns: [{ min: 4 }], screen: plain(40) })
  expect(stringWidth(lines[0] as string)).toBeLessThanOrEqual(40)
  expect(performance.now() - started).toBeLessThan(500)
})
