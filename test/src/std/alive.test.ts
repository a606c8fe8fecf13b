import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { isAlive } from '../../../src/std/alive.ts'
import { sleep } from '../../../src/std/async.ts'

const host = hostname()

test('isAlive() knows this process and one that has ended, and nothing of other machines', async () => {
  expect(isAlive({ pid: process.pid, host }, Date.now())).toBe(true)
  const child = spawn(process.execPath, ['-e', ''])
  const pid = child.pid as number
  await new Promise((done) => child.on('exit', done))
  expect(isAlive({ pid, host }, Date.now())).toBe(false)
  expect(isAlive({ pid, host: `not ${host}` }, Date.now())).toBeUndefined()
})

test('isAlive() is not misled by an ended process that nobody has asked for, nor by another one of the same number', async ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('only Linux says that much of a process')
  expect(isAlive({ pid: process.pid, host }, performance.timeOrigin - 3_600_000)).toBe(false)
  // The shell becomes a program that never asks how its children ended.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const pid = Number(await new Promise((done) => parent.stdout.once('data', done)))
    while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')) await sleep(10)
    expect(() => process.kill(pid, 0)).not.toThrow()
    expect(isAlive({ pid, host }, Date.now())).toBe(false)
  } finally {
    parent.kill('SIGKILL')
  }
})
