/** The account's jobs: their limit, their states over time, and the List of them. Time is given to it. */

import { hash32 } from './random'

/** What happens by itself at some instant. How time passes is the timeline's business. */
export interface Timeline {
  /** `run` is called with `at` when that instant has come; what is planned for earlier instants runs before. */
  plan(at: number, run: (at: number) => void): void
}

/** A timeline without timers: every caller first lets the past happen. */
export interface PulledTimeline extends Timeline {
  /** Lets everything up to and including `now` happen, in the order of the instants. */
  advance(now: number): void
}

interface Happening {
  readonly at: number
  readonly run: (at: number) => void
}

export const createTimeline = (): PulledTimeline => {
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

/** What is decided about a job's time when it is created. */
export interface JobTimes {
  /** Time in status 0, ms. */
  readonly initMs: number
  /** Time in status 1, ms. */
  readonly runMs: number
}

/** Statuses in which a job ends: completed, interrupted. */
export type EndStatus = 2 | 3
export type Status = 0 | 1 | EndStatus

/** `Fate` is whatever else is decided about a job when it is created. */
export interface BookedJob<Fate extends JobTimes> extends JobOrder {
  /** 1, 2, 3 … in the order of creation. */
  readonly number: number
  readonly jobId: string
  /** Instants, ms since 1970: status 0 from createdAt, 1 from startsAt, its end at endsAt. */
  readonly createdAt: number
  readonly startsAt: number
  readonly endsAt: number
  readonly fate: Fate
  /** Somebody else in the account has created it. */
  readonly foreign: boolean
  /** How it ended; null before its end. */
  readonly endedAs: EndStatus | null
}

export const statusAt = (
  job: Pick<BookedJob<JobTimes>, 'startsAt' | 'endsAt' | 'endedAs'>,
  at: number,
): Status => {
  if (at < job.startsAt) return 0
  return job.endedAs === null || at < job.endsAt ? 1 : job.endedAs
}

export interface JobLimit {
  /** 0: none. */
  readonly jobs: number
  /** What the limit counts: jobs in status 0 and 1, or every job that was not deleted. */
  readonly jobsMode: 'open' | 'existing'
}

export interface Opening<Fate extends JobTimes> {
  readonly fate: Fate
  readonly foreign: boolean
  /** Opened even if the limit is reached. */
  readonly beyondLimit?: boolean
  /** Called when its time has come; tells how it ends. */
  readonly onEnd: (job: BookedJob<Fate>) => EndStatus
}

export interface JobPage<Fate extends JobTimes> {
  readonly jobs: readonly BookedJob<Fate>[]
  /** All that fit, on whatever page. */
  readonly total: number
  /** The next page goes on after the job of this number; null: it is the last page. */
  readonly after: number | null
}

/** In which order List shows jobs. Which one the provider has is not documented. */
export type ListOrder = 'newest-first' | 'oldest-first' | 'shuffled'

/** The place of a job in List, by its number: lower places come first. */
const placeIn: Readonly<Record<ListOrder, (number: number) => number>> = {
  'newest-first': number => -number,
  'oldest-first': number => number,
  shuffled: number => hash32(number, 'place in the list') + number / 1e9,
}

export interface PageQuery<Fate extends JobTimes> {
  readonly isWanted: (job: BookedJob<Fate>) => boolean
  /** Only jobs that come after the one of this number; null: all. */
  readonly after: number | null
  /** Jobs left out at the beginning. */
  readonly skip: number
  readonly size: number
}

export interface JobBook<Fate extends JobTimes> {
  /** Whether the job limit is reached. */
  isFull(at: number): boolean
  /** null: the limit is reached. */
  open(order: JobOrder, at: number, opening: Opening<Fate>): BookedJob<Fate> | null
  find(jobId: string): BookedJob<Fate> | undefined
  /** Newest first, deleted ones left out. */
  all(): readonly BookedJob<Fate>[]
  /** In the order of List. Jobs created meanwhile do not shift the pages after the first. */
  page(query: PageQuery<Fate>): JobPage<Fate>
  /** Jobs in status 0 or 1. */
  openAt(at: number): readonly BookedJob<Fate>[]
  remove(jobId: string): void
  /** The number the next job will have. */
  nextNumber(): number
  /** The most jobs that were open at once. */
  maxOpen(): number
}

export const createJobBook = <Fate extends JobTimes>(
  limit: JobLimit,
  timeline: Timeline,
  jobIdOf: (number: number, foreign: boolean) => string,
  order: ListOrder = 'newest-first',
): JobBook<Fate> => {
  type Job = BookedJob<Fate>
  const placeOf = placeIn[order]
  const jobs = new Map<string, Job>()
  let running: Job[] = []
  let lastNumber = 0
  let maxOpen = 0

  const openAt = (at: number): readonly Job[] => {
    running = running.filter(job => job.endedAs === null || job.endsAt > at)
    return running
  }
  const all = (): readonly Job[] => [...jobs.values()].reverse()
  const isFull = (at: number): boolean => {
    const counted = limit.jobsMode === 'open' ? openAt(at).length : jobs.size
    return limit.jobs > 0 && counted >= limit.jobs
  }

  return {
    isFull,
    open(order, at, { fate, foreign, beyondLimit, onEnd }) {
      if (!beyondLimit && isFull(at)) return null
      const number = ++lastNumber
      const startsAt = at + fate.initMs
      const job = {
        ...order,
        number,
        jobId: jobIdOf(number, foreign),
        createdAt: Math.floor(at),
        startsAt,
        endsAt: startsAt + fate.runMs,
        fate,
        foreign,
        endedAs: null as EndStatus | null,
      }
      jobs.set(job.jobId, job)
      running = [...openAt(at), job]
      maxOpen = Math.max(maxOpen, running.length)
      timeline.plan(job.endsAt, () => {
        job.endedAs = onEnd(job)
      })
      return job
    },
    find: jobId => jobs.get(jobId),
    all,
    page({ isWanted, after, skip, size }) {
      const inOrder =
        order === 'newest-first' ? all() : [...all()].sort((a, b) => placeOf(a.number) - placeOf(b.number))
      const wanted = inOrder.filter(isWanted)
      const rest = wanted.filter(job => after === null || placeOf(job.number) > placeOf(after)).slice(skip)
      const shown = rest.slice(0, size)
      const last = shown.at(-1)
      return {
        jobs: shown,
        total: wanted.length,
        after: last !== undefined && rest.length > size ? last.number : null,
      }
    },
    openAt,
    remove: jobId => jobs.delete(jobId),
    nextNumber: () => lastNumber + 1,
    maxOpen: () => maxOpen,
  }
}
