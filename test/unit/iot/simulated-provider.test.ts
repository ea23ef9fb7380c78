import { concatMap, map, merge, mergeMap, range, timer } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import type { RouteFields } from '../../../src/domain/route'
import { createSimulatedProvider, type SimulatedProviderOptions } from '../../support/simulated-provider'

const route: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-source',
  strategy: 0,
  targetInstanceIds: ['iot-target'],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'normal',
}
const names = ['meter-1', 'meter-2', 'meter-3', 'meter-4']
const virtually = (act: () => void) => new TestScheduler(() => undefined).run(act)
const provide = (options: SimulatedProviderOptions = {}) =>
  createSimulatedProvider({ latencyMs: 50, jobBaseMs: 1_000, jobPerDeviceMs: 1, ...options })

describe('the provider in virtual time', () => {
  it('carries out a job and gives its rows', () => {
    const seen: unknown[] = []
    const provider = provide({
      resultOf: (name, sent) => (name === 'meter-2' ? { code: `E${sent}` } : { code: '200' }),
    })
    virtually(() => {
      provider
        .create(route, names)
        .pipe(
          concatMap(created => timer(2_000).pipe(map(() => (created.ok ? created.value.providerJobId : '')))),
          concatMap(id => provider.detail(id)),
          concatMap(answer => provider.fetchResults(answer.ok ? (answer.value.url ?? '') : '', names)),
        )
        .subscribe(results => seen.push(results))
    })
    expect(seen).toEqual([expect.objectContaining({ kind: 'rows' })])
    const [results] = seen as [{ rows: Map<string, { code: string }> }]
    expect(Array.from(results.rows, ([name, { code }]) => [name, code])).toEqual([
      ['meter-1', '200'],
      ['meter-2', 'E1'],
      ['meter-3', '200'],
      ['meter-4', '200'],
    ])
    expect(Object.fromEntries(provider.moves)).toEqual({
      'a1BwAGVexmp/meter-1': 1,
      'a1BwAGVexmp/meter-3': 1,
      'a1BwAGVexmp/meter-4': 1,
    })
  })

  it('runs a call whose caller has gone', () => {
    const provider = provide()
    virtually(() => {
      const caller = provider.create(route, names).subscribe()
      timer(10).subscribe(() => caller.unsubscribe())
    })
    expect(provider.audit.arrivals.create).toEqual([50])
    expect(provider.moves.size).toBe(4)
  })

  it('leaves a call unanswered that is lost on its way, loses its answer, or is held up', () => {
    const faults = ['lose-request', 'lose-answer', { heldUpMs: 30_000 }] as const
    const provider = provide({ onCall: (_, n) => faults[n - 1] ?? 'ok', callTimeoutMs: 20_000 })
    const kinds: string[] = []
    virtually(() => {
      range(0, 3)
        .pipe(mergeMap(() => provider.create(route, names)))
        .subscribe(answer => kinds.push(answer.ok ? 'ok' : answer.kind))
    })
    expect(kinds).toEqual(['unanswered', 'unanswered', 'unanswered'])
    expect(provider.audit.arrivals.create).toEqual([50, 50])
    expect(provider.jobs.map(job => job.createdAt)).toEqual([50, 30_050])
    expect(provider.jobs).toHaveLength(2)
    expect(provider.moves.get('a1BwAGVexmp/meter-1')).toBe(2)
  })

  it('throttles calls beyond its quota and counts those that arrived in any second', () => {
    const provider = provide({ qps: { shared: 2 } })
    const kinds: string[] = []
    virtually(() => {
      merge(...[0, 999, 999, 1_000].map(at => timer(at).pipe(concatMap(() => provider.list({}))))).subscribe(
        answer => kinds.push(answer.ok ? 'ok' : answer.kind),
      )
    })
    expect(kinds).toEqual(['ok', 'ok', 'throttled', 'throttled'])
    expect(provider.audit.maxCallsInAnySecond()).toBe(3)
    expect(provider.audit.maxCallsInAnySecond('create')).toBe(0)
  })

  it('refuses a create beyond its job limit, which counts foreign jobs too', () => {
    const provider = provide({ maxOpenJobs: 2 })
    const kinds: string[] = []
    virtually(() => {
      provider.startForeignJob(route, 7, 500)
      merge(
        ...[0, 1, 600].map(at => timer(at).pipe(concatMap(() => provider.create(route, names)))),
      ).subscribe(answer => kinds.push(answer.ok ? 'ok' : answer.kind))
    })
    expect(kinds).toEqual(['ok', 'slots-full', 'ok'])
    expect(provider.maxOpenJobs()).toBe(2)
    expect(provider.openJobs()).toBe(0)
  })

  it('lists jobs newest first, page by page, and jobs created meanwhile shift no page', () => {
    const provider = provide()
    const pages: string[][] = []
    virtually(() => {
      for (let n = 0; n < 205; n += 1) provider.startForeignJob(route, 1, 10)
      provider
        .list({ productKey: route.productKey })
        .pipe(
          concatMap(first => {
            if (!first.ok || first.value.nextToken === null) throw new Error('expected a second page')
            pages.push(first.value.jobs.map(job => job.providerJobId))
            provider.startForeignJob(route, 1, 10)
            return provider.list({ productKey: route.productKey, nextToken: first.value.nextToken })
          }),
        )
        .subscribe(second => {
          if (second.ok) pages.push(second.value.jobs.map(job => job.providerJobId))
        })
    })
    expect(pages.map(page => page.length)).toEqual([200, 5])
    expect(new Set(pages.flat()).size).toBe(205)
  })

  it('lets URLs expire and interrupts jobs half-way', () => {
    const kinds: string[] = []
    const provider = provide({ urlValidMs: 150, onJobEnd: () => 'interrupted' })
    virtually(() => {
      const fetchAfter = (ms: number, url: string) =>
        timer(ms).pipe(concatMap(() => provider.fetchResults(url, names)))
      provider
        .create(route, names)
        .pipe(
          concatMap(created =>
            timer(2_000).pipe(
              concatMap(() => provider.detail(created.ok ? created.value.providerJobId : '')),
            ),
          ),
          map(answer => (answer.ok ? (answer.value.url ?? '') : '')),
          concatMap(url => merge(fetchAfter(0, url), fetchAfter(1_000, url))),
        )
        .subscribe(results =>
          kinds.push(results.kind === 'rows' ? `${results.rows.size} rows` : results.kind),
        )
    })
    expect(kinds).toEqual(['2 rows', 'expired'])
    expect(provider.moves.size).toBe(2)
  })
})
