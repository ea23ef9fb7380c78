/**
 * The open jobs that the first page of List does not show, because more than a page of newer jobs was created since, or
 * because List has another order. A look needs them at the start of a driver, when jobs of ours were pushed off the first
 * page, and when so many jobs were created that it does not reach down to those of the look before.
 */
import { asyncScheduler, concatMap, defer, EMPTY, expand, map, type Observable, of, reduce } from 'rxjs'
import { holdsAllSince, type ListedOrder, nothingListed, orderAfter } from '../domain/reconcile'
import type { CallResult, ListedJob, ListPage, ListQuery } from '../ports/job-api'

/** Pages of 200 jobs that one look reads at most where `Status` is not heeded. */
const maxPages = 20
/** Other people's jobs that were pushed off the first page count as open, and are looked for once in this time, ms. */
const othersEveryMs = 30_000
/** `Status` that was refused is tried again after this time, ms. */
const refusedForMs = 60_000
/** A job may appear in List this much after it was created, and this much out of order, ms. */
const toleranceMs = 30_000

export interface Known {
  /** Jobs that were open at the look before. */
  readonly open: ReadonlySet<string>
  readonly isOwn: (providerJobId: string) => boolean
}

/** A first page after which there is another. */
export interface FirstPage {
  readonly jobs: readonly ListedJob[]
  readonly nextToken: string
}

export interface OpenBeyondPage {
  /**
   * Emits once: jobs that are not on the first page, among them every open one; null if they are not looked for now, so
   * that those known to be open still count.
   */
  after(first: FirstPage, known: Known): Observable<readonly ListedJob[] | null>
}

/** `list` throws what passes. */
export const createOpenBeyondPage = (
  list: (query: ListQuery) => Observable<CallResult<ListPage>>,
): OpenBeyondPage => {
  /** Creation of the newest job at a look after which every open job was known, by the provider's clock. */
  let knownUpTo = Number.NEGATIVE_INFINITY
  let othersSoughtAt = Number.NEGATIVE_INFINITY
  let refusedUntil = Number.NEGATIVE_INFINITY

  /** Pages from the first answer on, until one fails or is the last. */
  const pages = (query: ListQuery, isEnough: (page: ListPage) => boolean): Observable<CallResult<ListPage>> =>
    list(query).pipe(
      expand((found, index) =>
        found.ok && found.value.nextToken !== null && index + 1 < maxPages && !isEnough(found.value)
          ? list({ ...query, nextToken: found.value.nextToken })
          : EMPTY,
      ),
    )

  /** null: `Status` is refused, or not heeded. */
  const ofStatus = (status: 0 | 1): Observable<readonly ListedJob[] | null> =>
    pages({ status }, () => false).pipe(
      reduce<CallResult<ListPage>, readonly ListedJob[] | null>(
        (jobs, found) =>
          jobs === null || !found.ok || found.value.jobs.some(job => job.status >= 2)
            ? null
            : [...jobs, ...found.value.jobs],
        [],
      ),
    )

  /** Initialising jobs are listed before running ones: a job that starts to run between the two calls is in both. */
  const byStatus = defer(() => ofStatus(0)).pipe(
    concatMap(initialising =>
      initialising === null
        ? of(null)
        : ofStatus(1).pipe(map(running => (running === null ? null : [...initialising, ...running]))),
    ),
  )

  /** null: a page could not be read, so that what was known to be open still counts. */
  const byPages = (nextToken: string, order: ListedOrder, missing: Set<string>) =>
    defer(() => {
      let listed = order
      const isEnough = ({ jobs }: ListPage): boolean => {
        listed = orderAfter(listed, jobs, toleranceMs)
        for (const job of jobs) missing.delete(job.providerJobId)
        return missing.size === 0 && holdsAllSince(listed, knownUpTo - toleranceMs, toleranceMs)
      }
      return pages({ nextToken }, isEnough).pipe(
        reduce<CallResult<ListPage>, readonly ListedJob[] | null>(
          (jobs, found) => (jobs === null || !found.ok ? null : [...jobs, ...found.value.jobs]),
          [],
        ),
      )
    })

  return {
    after: ({ jobs: firstJobs, nextToken }, { open, isOwn }) =>
      defer(() => {
        const now = asyncScheduler.now()
        const order = orderAfter(nothingListed, firstJobs, toleranceMs)
        const known = <T>(found: T): T => {
          knownUpTo = Math.max(knownUpTo, order.newestAt)
          return found
        }
        const shown = new Set(firstJobs.map(job => job.providerJobId))
        const missing = [...open].filter(id => !shown.has(id))
        const isOthersTurn = now >= othersSoughtAt + othersEveryMs
        if (
          holdsAllSince(order, knownUpTo - toleranceMs, toleranceMs) &&
          !missing.some(isOwn) &&
          !(missing.length > 0 && isOthersTurn)
        )
          return of(known(missing.length > 0 ? null : []))
        othersSoughtAt = now
        return (now < refusedUntil ? of(null) : byStatus).pipe(
          concatMap(found => {
            if (found !== null) return of(found)
            if (now >= refusedUntil) refusedUntil = now + refusedForMs
            return byPages(nextToken, order, new Set(missing))
          }),
          map(found => (found === null ? null : known(found))),
        )
      }),
  }
}
