import { asyncScheduler } from 'rxjs'
import type { Operation } from '../../src/ports/job-api'

const SECOND_MS = 1_000

/** The instants at which calls reached the provider, throttled ones included, by rxjs's clock, ms, in order. */
export type Arrivals = Readonly<Record<Operation, readonly number[]>>

export interface CallAudit {
  readonly arrivals: Arrivals
  record(operation: Operation): void
  /** The most calls of one operation, or of all together, in any window [t, t + 1,000 ms). */
  maxCallsInAnySecond(operation?: Operation): number
}

const maxInWindow = (instants: readonly number[]): number => {
  let most = 0
  let first = 0
  instants.forEach((instant, index) => {
    while (instant - (instants[first] ?? instant) >= SECOND_MS) first += 1
    most = Math.max(most, index - first + 1)
  })
  return most
}

/** Which calls the provider saw, and when: the ground truth for tests of the quota. */
export const createCallAudit = (): CallAudit => {
  const all: number[] = []
  const arrivals = {
    create: [] as number[],
    detail: [] as number[],
    query: [] as number[],
    list: [] as number[],
    provisioning: [] as number[],
  }
  const of = (operation?: Operation): readonly number[] => (operation ? arrivals[operation] : all)

  return {
    arrivals,
    record: operation => {
      const now = asyncScheduler.now()
      all.push(now)
      arrivals[operation].push(now)
    },
    maxCallsInAnySecond: operation => maxInWindow(of(operation)),
  }
}
