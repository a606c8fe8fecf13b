import fc from 'fast-check'
import { expect, test } from 'vitest'
import { around, type Frame, surround } from '../../src/ambience.ts'
import { currentHost, type Host, withHost } from '../../src/host.ts'
import { UsageMeter } from '../../src/meter.ts'
import { currentMeter, currentModels, type Models, withMeter, withModels } from '../../src/model.ts'
import { ownPlace, TraceRecorder, within } from '../../src/recorder.ts'
import { sleep } from '../../src/std/async.ts'

const FIELDS = ['host', 'models', 'meter', 'place', 'context'] as const

test('surround() adds to what is there, and takes it back, also after a throw', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...FIELDS), fc.integer(), fc.boolean())), (steps) => {
      const nest = (depth: number, wanted: Frame): void => {
        expect(around()).toEqual(wanted)
        const [field, value, throws] = steps[depth] ?? []
        if (field === undefined) return
        const inner = (): void => {
          nest(depth + 1, { ...wanted, [field]: value })
          if (throws) throw new Error('on the way out')
        }
        const run = () => surround({ ...around(), [field]: value }, inner)
        if (throws) expect(run).toThrow('on the way out')
        else run()
        expect(around()).toEqual(wanted)
      }
      nest(0, around())
    }),
  )
})

test('host, models, meter and place follow asynchronous calls, and none takes another away', async () => {
  const host = { settings: {} } as Host
  const models: Models = { resolve: () => expect.unreachable() }
  const meter = new UsageMeter()
  const { place } = new TraceRecorder()
  const seen = () => [currentHost(), currentModels(), currentMeter(), ownPlace()]
  const [inside, aside] = await withHost(host, () =>
    withModels(models, () =>
      within(place, async () => {
        const other = sleep(2).then(seen)
        const metered = await withMeter(meter, async () => {
          await sleep(1)
          return seen()
        })
        return [metered, await other]
      }),
    ),
  )
  expect(inside).toEqual([host, models, meter, place])
  expect(aside).toEqual([host, models, undefined, place])
  expect([currentHost(), currentMeter(), ownPlace()]).toEqual([undefined, undefined, undefined])
})
