import type { Model } from '../model.ts'

/** Gives a model that is another one in everything but how it answers. */
export function wrapped(model: Model, generate: Model['generate']): Model {
  return {
    address: model.address,
    identity: model.identity,
    ...(model.opaque !== undefined && { opaque: model.opaque }),
    requireReady: () => model.requireReady?.(),
    prepare: async () => model.prepare?.(),
    generate,
  }
}
