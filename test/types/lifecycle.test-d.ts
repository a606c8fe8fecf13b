import { expectTypeOf } from 'vitest'
import { type RegisteredScorer, Scorer, scorer } from '../../src/index.ts'
import { Safety } from '../../src/judges/index.ts'
import { getScorer, listScorers, type ScorerStatus } from '../../src/monitoring.ts'

const concise = scorer('concise', ({ outputs }: { outputs: string }) => outputs.length <= 400)
const registered = await concise.register({ module: import.meta.url, export: 'concise' })

expectTypeOf(concise.sampleRate).toEqualTypeOf<number | undefined>()
expectTypeOf(concise.status).toEqualTypeOf<ScorerStatus>()
expectTypeOf(registered.sampleRate).toEqualTypeOf<number>()
expectTypeOf(registered.filterString).toEqualTypeOf<string | undefined>()
expectTypeOf(registered.registeredVersion).toEqualTypeOf<number>()
expectTypeOf(registered).toExtend<Scorer>()
expectTypeOf(await registered.stop()).toEqualTypeOf(registered)
expectTypeOf(await Safety().register()).toExtend<RegisteredScorer>()
expectTypeOf(await getScorer({ name: 'x' })).toEqualTypeOf<RegisteredScorer>()
expectTypeOf(await listScorers()).toEqualTypeOf<RegisteredScorer[]>()

// As the seeds write it: one variable for every state.
let safety = await Safety().register({ name: 'safety' })
safety = await safety.start({ samplingConfig: { sampleRate: 0.5, filterString: "status = 'OK'" } })
safety = await safety.update({ samplingConfig: { filterString: null } })
safety = await safety.delete()

// @ts-expect-error nothing to start with
safety.start()
// @ts-expect-error an unknown setting
safety.start({ samplingConfig: { rate: 1 } })
// @ts-expect-error an instance never changes
safety.sampleRate = 1
// @ts-expect-error no name
getScorer({})

// The methods do not stand in the way of a class of one's own.
class Words extends Scorer {
  readonly name = 'words'
  score() {
    return 1
  }
}
expectTypeOf(await new Words().register()).toEqualTypeOf<RegisteredScorer>()
