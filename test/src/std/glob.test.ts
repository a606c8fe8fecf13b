import { expect, test } from 'vitest'
import { fitsGlob, globFolder, isGlob } from '../../../src/std/glob.ts'

test('isGlob() tells what stands for several files', () => {
  expect(['/a/*.json', '/a/?.json', '/{a,b}.json', '/a[0-9].json'].every(isGlob)).toBe(true)
  expect(isGlob('/a/b c(1).json')).toBe(false)
})

test('globFolder() gives the folder above everything that fits', () => {
  expect(['/a/b/*.json', '/a/b/**/c/*.json', '/a/{b,c}/d.json', '/*.json'].map(globFolder)).toEqual([
    '/a/b',
    '/a/b',
    '/a',
    '/',
  ])
})

test('fitsGlob() is true for files that a glob stands for, and for no name that is none', () => {
  expect(fitsGlob('/a/b/new.json', '/a/b/*.json')).toBe(true)
  expect(fitsGlob('/a/b/c/new.json', '/a/b/*.json')).toBe(false)
  expect(fitsGlob('/a/b/c/new.json', '/a/**/*.json')).toBe(true)
  expect(fitsGlob('/a/b/new.csv', '/a/b/*.json')).toBe(false)
  expect(fitsGlob('/a/b.json', '/a/b.json')).toBe(false)
})
