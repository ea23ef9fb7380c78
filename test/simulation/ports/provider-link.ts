/**
 * The provider as one process reaches it. The faults of calls are the provider's own; this link adds who called and when,
 * and result files that come late or in part.
 */
import { map, Observable } from 'rxjs'
import type { CallResult, FetchedResults, JobApi, Operation } from '../../../src/ports/job-api'
import { jobIdIn } from '../../../src/tools/simulator/result-file'
import type { Clock, Owner } from '../clock'
import type { Draw } from '../draw'
import type { Faults } from '../faults'
import type { Ledger } from '../ledger'

export interface ProviderLinkDeps {
  readonly clock: Clock
  readonly faults: Faults
  readonly draw: Draw
  readonly provider: JobApi
  readonly ledger: Ledger
  /** Called for each call at the moment when it leaves. */
  readonly onSent: (owner: Owner, operation: Operation) => void
  readonly atStep: (owner: Owner, step: string) => void
}

export const createProviderLink = (owner: Owner, deps: ProviderLinkDeps): JobApi => {
  const { clock, faults, draw, provider, ledger, onSent, atStep } = deps
  /** Jobs whose result file was cut once, so it is whole from now on. */
  const fetchedOnce = new Set<string>()

  /** A call that was sent takes its course; its answer reaches the process if that still lives. */
  const reach = <T>(name: string, call: () => Observable<T>): Observable<T> =>
    new Observable(subscriber => {
      if (owner.state === 'dead') return
      clock.as(clock.world, () =>
        call().subscribe({
          next: value => {
            atStep(owner, name)
            clock.as(owner, () => {
              subscriber.next(value)
              subscriber.complete()
            })
          },
          error: error => clock.as(owner, () => subscriber.error(error)),
        }),
      )
    })
  const send = <T>(operation: Operation, call: () => Observable<T>): Observable<T> =>
    reach(operation, () => {
      onSent(owner, operation)
      return call()
    })

  /** The provider is still writing the file, so it names some devices only. An interrupted job's file is not cut. */
  const cut = (results: FetchedResults, url: string): FetchedResults => {
    if (results.kind !== 'rows' || results.rows.size < 2) return results
    const key = jobIdIn(new URL(url).pathname)
    if (ledger.jobs.get(key)?.interrupted !== false) return results
    if (fetchedOnce.has(key) || !faults.hit('file partial')) return results
    fetchedOnce.add(key)
    return { ...results, rows: new Map([...results.rows].slice(0, draw.between(1, results.rows.size - 1))) }
  }

  /** The job has ended, but its file is not there yet. */
  const late = <T>(id: string, result: CallResult<T>): CallResult<T> =>
    ledger.jobs.get(id)?.interrupted === false && result.ok && faults.hit('file late')
      ? { ok: false, kind: 'unknown', code: 'iot.distribute.NoResult', message: 'no result file yet' }
      : result

  return {
    create: (route, names) =>
      send('create', () => {
        ledger.createLeaves(names)
        return provider.create(route, names)
      }),
    list: query => send('list', () => provider.list(query)),
    query: id => send('query', () => provider.query(id)),
    detail: id => send('detail', () => provider.detail(id)).pipe(map(result => late(id, result))),
    provisioning: (productKey, name) => send('provisioning', () => provider.provisioning(productKey, name)),
    fetchResults: (url, sent) =>
      new Observable(subscriber =>
        reach('fetchResults', () => provider.fetchResults(url, sent)).subscribe({
          next: results => subscriber.next(cut(results, url)),
          error: error => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      ),
  }
}
