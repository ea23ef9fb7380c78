/** Every job of one product, as far as List can be believed. */
import {
  concatMap,
  defer,
  EMPTY,
  expand,
  type MonoTypeOperatorFunction,
  type Observable,
  of,
  reduce,
} from 'rxjs'
import type { CallResult, ListedJob, ListPage } from '../ports'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** Of 200 jobs. No product has so many jobs: such a List does not come to an end. */
const maxPages = 500

export type Listing =
  | { readonly kind: 'jobs'; readonly jobs: readonly ListedJob[] }
  /** For good, as far as anybody can tell. */
  | { readonly kind: 'refused' }
  /** It leads back to a page that was read already, or goes on and on: what it does not show proves nothing. */
  | { readonly kind: 'endless' }

const endless = 'endless'
type Found = CallResult<ListPage> | typeof endless

const nothing: Listing = { kind: 'jobs', jobs: [] }

const added = (all: Listing, found: Found): Listing => {
  if (all.kind !== 'jobs') return all
  if (found === endless) return { kind: 'endless' }
  return found.ok ? { kind: 'jobs', jobs: [...all.jobs, ...found.value.jobs] } : { kind: 'refused' }
}

/** `again` repeats what failed with `TransientError`, after a pause. */
export const createListProduct =
  (calls: Pick<ProviderCalls, 'list'>, again: <T>() => MonoTypeOperatorFunction<T>) =>
  (productKey: string): Observable<Listing> =>
    defer(() => {
      const followed = new Set<string>()
      const page = (nextToken?: string): Observable<Found> =>
        calls
          .list({ productKey, ...(nextToken === undefined ? {} : { nextToken }) })
          .pipe(concatMap(transientThrown), again())
      const after = (found: Found): Observable<Found> => {
        if (found === endless || !found.ok || found.value.nextToken === null) return EMPTY
        const { nextToken } = found.value
        if (followed.has(nextToken) || followed.size + 1 === maxPages) return of(endless)
        followed.add(nextToken)
        return page(nextToken)
      }
      return page().pipe(expand(after), reduce(added, nothing))
    })
