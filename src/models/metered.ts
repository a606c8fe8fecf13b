import { currentMeter, type Model } from '../model.ts'
import type { ModelPrice } from '../options.ts'
import { costOf } from './prices.ts'
import { wrapped } from './wrap.ts'

/** Wraps a model so that its answers say what they cost. */
export function priced(model: Model, price: ModelPrice | undefined): Model {
  return wrapped(model, async (request, context) => {
    const answer = await model.generate(request, context)
    const cost = answer.cost ?? costOf(answer.usage, price)
    return cost === undefined ? answer : { ...answer, cost }
  })
}

/** Wraps a model so that every answer is counted where it was asked for. */
export function metered(model: Model): Model {
  return wrapped(model, async (request, context) => {
    const meter = currentMeter()
    const answer = await model.generate(request, context)
    const { usage, cost, cached } = answer
    meter?.add({ model: model.address, usage, cost, cached })
    return answer
  })
}
