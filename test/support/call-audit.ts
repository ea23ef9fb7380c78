import { asyncScheduler } from 'rxjs'
import type { Operation } from '../../src/ports/job-api'

const SECOND_MS = 1_000

/** Instants (ms, of rxjs's clock) at which calls reached the provider, throttled ones included; rising. */
export type Arrivals = Readonly<Record<Operation, readonly number[]>>

export interface CallAudit {
  readonly arrivals: Arrivals
  record(operation: Operation): void
  /** Most calls in any window [t, t + 1,000 ms): of one operation, or of all together. */
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

/** What the provider saw, by its own watch: the ground truth for quota tests. */
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
