import type { Examination } from '../../queue.ts'
import type { Note, Registration, RegistrationWrite, ScorerProgress, ScorerSamplingConfig } from '../../registration.ts'
import type { RegistrationQuery } from '../../registry.ts'
import { nowMs } from '../../std/async.ts'
import type { Worked } from '../unit.ts'

interface Version {
  readonly key: number
  readonly version: number
  /** JSON: nobody can change what was registered. */
  text: string
}

/** A registered name. */
interface Watch {
  readonly experiment: string
  readonly name: string
  versions: Version[]
  sampleRate: number
  filterString?: string | undefined
  startedAt?: number
  progress: ScorerProgress
}

const NO_PROGRESS: ScorerProgress = {
  position: 0,
  examined: 0,
  sampled: 0,
  unfit: 0,
  scored: 0,
  errors: 0,
  usd: 0,
  lastAt: 0,
}

/** Keeps registered scorers and notes. */
export class Registrations {
  #watches: Watch[] = []
  readonly #notes = new Map<string, { readonly kind: Note['kind']; readonly id: string; readonly text: string }>()
  #lastKey = 0

  register({ experiment, name, ...kept }: RegistrationWrite): Registration {
    let watch = this.#watch(experiment, name)
    if (!watch) {
      watch = { experiment, name, versions: [], sampleRate: 0, progress: NO_PROGRESS }
      this.#watches.push(watch)
    }
    const newest = watch.versions.at(-1)
    const text = JSON.stringify(kept)
    if (newest && JSON.parse(newest.text).digest === kept.digest) newest.text = text
    else watch.versions.push({ key: ++this.#lastKey, version: (newest?.version ?? 0) + 1, text })
    return registration(watch, watch.versions.at(-1) as Version)
  }

  list({ experiment, name, version }: RegistrationQuery = {}): Registration[] {
    return this.#watches
      .filter((watch) => (experiment ?? watch.experiment) === watch.experiment && (name ?? watch.name) === watch.name)
      .sort((a, b) => inBytes(a.name, b.name) || inBytes(a.experiment, b.experiment))
      .flatMap((watch) => {
        const wanted = version === undefined ? watch.versions.slice(-1) : watch.versions
        const versions = typeof version === 'number' ? wanted.filter((one) => one.version === version) : wanted
        return versions.map((one) => registration(watch, one))
      })
  }

  /** @param head the newest place: where a scorer that starts begins */
  configure(experiment: string, name: string, config: ScorerSamplingConfig, head: number): Registration | undefined {
    const watch = this.#watch(experiment, name)
    if (!watch) return undefined
    const { sampleRate = watch.sampleRate } = config
    // What came while it was stopped is for a backfill.
    if (watch.sampleRate === 0 && sampleRate > 0) {
      watch.startedAt = nowMs()
      watch.progress = { ...watch.progress, position: head }
    }
    watch.sampleRate = sampleRate
    if ('filterString' in config) watch.filterString = config.filterString
    return registration(watch, watch.versions.at(-1) as Version)
  }

  /** Removes one version or all, and gives their keys. */
  delete(experiment: string, name: string, version: number | undefined): number[] {
    const watch = this.#watch(experiment, name)
    if (!watch) return []
    const gone = watch.versions.filter((one) => (version ?? one.version) === one.version)
    watch.versions = watch.versions.filter((one) => !gone.includes(one))
    if (watch.versions.length === 0) this.#watches = this.#watches.filter((one) => one !== watch)
    return gone.map(({ key }) => key)
  }

  /** Gives what a key stands for; undefined once it has been deleted. */
  find(key: number): Pick<Registration, 'name' | 'level'> | undefined {
    const watch = this.#watchOf(key)
    const version = watch?.versions.find((one) => one.key === key)
    return watch && version && { name: watch.name, level: JSON.parse(version.text).level }
  }

  /** Moves places on, all or none. @returns false where one does not stand at `from` */
  examined({ experiment, from, to, scorers }: Examination): boolean {
    const watches = scorers.map(({ name }) => this.#watch(experiment, name))
    if (watches.some((watch) => watch?.progress.position !== from)) return false
    for (const [i, { examined, sampled, unfit }] of scorers.entries()) {
      const watch = watches[i] as Watch
      const { progress } = watch
      watch.progress = {
        ...progress,
        position: to,
        examined: progress.examined + examined,
        sampled: progress.sampled + sampled,
        unfit: progress.unfit + unfit,
      }
    }
    return true
  }

  worked(key: number, { scored, errors, unfit, usd }: Worked, at: number): void {
    const watch = this.#watchOf(key)
    if (!watch) return
    const { progress } = watch
    watch.progress = {
      ...progress,
      scored: progress.scored + scored,
      errors: progress.errors + errors,
      unfit: progress.unfit + unfit,
      usd: progress.usd + usd,
      lastAt: scored > 0 ? Math.max(progress.lastAt, at) : progress.lastAt,
    }
  }

  keepNote({ kind, id, data }: Note, was?: Note['data'] | null): boolean {
    const there = this.#notes.get(noteKey(kind, id))
    if (was === null && there) return false
    if (was && there?.text !== JSON.stringify(was)) return false
    this.#notes.set(noteKey(kind, id), { kind, id, text: JSON.stringify(data) })
    return true
  }

  notes(kind: Note['kind'], id?: string): Note[] {
    return [...this.#notes.values()]
      .filter((note) => note.kind === kind && (id ?? note.id) === note.id)
      .sort((a, b) => inBytes(a.id, b.id))
      .map((note) => ({ kind, id: note.id, data: JSON.parse(note.text) }))
  }

  dropNote(kind: Note['kind'], id: string): boolean {
    return this.#notes.delete(noteKey(kind, id))
  }

  #watch(experiment: string, name: string): Watch | undefined {
    return this.#watches.find((watch) => watch.experiment === experiment && watch.name === name)
  }

  #watchOf(key: number): Watch | undefined {
    return this.#watches.find(({ versions }) => versions.some((one) => one.key === key))
  }
}

function registration(watch: Watch, { key, version, text }: Version): Registration {
  const { experiment, name, sampleRate, filterString, startedAt, progress } = watch
  return {
    key,
    experiment,
    name,
    version,
    ...JSON.parse(text),
    sampleRate,
    ...(filterString !== undefined && { filterString }),
    ...(startedAt !== undefined && { startedAt }),
    progress,
  }
}

/** As databases order text. */
export function inBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function noteKey(kind: Note['kind'], id: string): string {
  return `${kind} ${id}`
}
