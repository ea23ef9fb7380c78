import type { JobFate } from './job-fate'
import { createRandom, hash32, randomText } from './random'

interface Happening {
  readonly at: number
  readonly run: (at: number) => void
}

/** What happens by itself at some instant. Nothing runs on a timer: whoever looks, first lets the past happen. */
export interface Timeline {
  /** `run` is called with `at`, in the order of the instants. */
  plan(at: number, run: (at: number) => void): void
  /** Lets everything up to and including `now` happen, in order. */
  advance(now: number): void
}

export const createTimeline = (): Timeline => {
  const planned: Happening[] = []
  return {
    plan(at, run) {
      let position = planned.length
      while (position > 0 && (planned[position - 1]?.at ?? 0) > at) position--
      planned.splice(position, 0, { at, run })
    },
    advance(now) {
      for (let next = planned[0]; next !== undefined && next.at <= now; next = planned[0]) {
        planned.shift()
        next.run(next.at)
      }
    },
  }
}

/** What a create asks for, checked. */
export interface JobOrder {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly targetInstanceIds: readonly string[]
  readonly strategy: number
  readonly targetUid: string
  readonly total: number
}

export interface SimulatedJob extends JobOrder {
  /** 1, 2, 3 … in the order of creation. */
  readonly number: number
  readonly jobId: string
  /** Instants, ms since 1970: status 0 from createdAt, 1 from startsAt, fate.endsAs from endsAt. */
  readonly createdAt: number
  readonly startsAt: number
  readonly endsAt: number
  readonly fate: JobFate
  readonly foreign: boolean
}

export type Status = 0 | 1 | 2 | 3

export const statusAt = (job: SimulatedJob, at: number): Status =>
  at < job.startsAt ? 0 : at < job.endsAt ? 1 : job.fate.endsAs

export interface JobBook {
  /** Opens a job; `onEnd` runs when its time has come. null: the limit is reached. `beyondLimit` ignores that. */
  open(order: JobOrder, at: number, opening: Opening): SimulatedJob | null
  find(jobId: string): SimulatedJob | undefined
  /** Newest first, deleted ones left out. */
  all(): readonly SimulatedJob[]
  /** Jobs in status 0 or 1. */
  openAt(at: number): readonly SimulatedJob[]
  remove(jobId: string): void
  /** The number the next job will have. */
  nextNumber(): number
  /** The most jobs that were open at once. */
  maxOpen(): number
}

export interface Opening {
  readonly fate: JobFate
  readonly foreign: boolean
  readonly beyondLimit?: boolean
  readonly onEnd: (job: SimulatedJob) => void
}

export interface JobLimit {
  readonly jobs: number
  readonly jobsMode: 'open' | 'existing'
  readonly seed: number
  /** First letters of every JobId. */
  readonly jobIdPrefix: string
}

/** The account's jobs. Time is given to it; the end of a job happens on the timeline. */
export const createJobBook = (limit: JobLimit, timeline: Timeline): JobBook => {
  const random = createRandom(hash32(limit.seed, 'job ids'))
  const jobs = new Map<string, SimulatedJob>()
  let running: SimulatedJob[] = []
  let lastNumber = 0
  let maxOpen = 0

  const openAt = (at: number) => {
    running = running.filter(job => job.endsAt > at)
    return running
  }

  return {
    open(order, at, { fate, foreign, beyondLimit, onEnd }) {
      const counted = limit.jobsMode === 'open' ? openAt(at).length : jobs.size
      if (limit.jobs > 0 && counted >= limit.jobs && !beyondLimit) return null
      const createdAt = Math.floor(at)
      const startsAt = at + fate.initMs
      const endsAt = startsAt + fate.runMs
      const jobId = limit.jobIdPrefix + randomText(random, 26 - Math.min(limit.jobIdPrefix.length, 10))
      const job = { ...order, number: ++lastNumber, jobId, createdAt, startsAt, endsAt, fate, foreign }
      jobs.set(jobId, job)
      running = [...openAt(at), job]
      maxOpen = Math.max(maxOpen, running.length)
      timeline.plan(endsAt, () => onEnd(job))
      return job
    },
    find: jobId => jobs.get(jobId),
    all: () => [...jobs.values()].reverse(),
    openAt,
    remove: jobId => jobs.delete(jobId),
    nextNumber: () => lastNumber + 1,
    maxOpen: () => maxOpen,
  }
}
