import { EvaluationError } from '../../errors.ts'

/** To be built: monitoring on a store in memory. */
export class Watched {
  registerScorer(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  registrations(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  configureScorer(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  deleteScorer(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  keepNote(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  notes(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  dropNote(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  standing(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  putTraces(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  arrivals(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  examine(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  claim(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  claimDue(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  renew(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  release(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  settle(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  units(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  countUnits(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  scores(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }

  revive(..._: readonly unknown[]): Promise<never> {
    return refuse()
  }
}

async function refuse(): Promise<never> {
  throw new EvaluationError('CONFIG_INVALID', 'Cannot monitor a store in memory')
}
