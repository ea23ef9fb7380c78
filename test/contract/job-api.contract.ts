import { concatMap, defer, first, firstValueFrom, map, type Observable, repeat, timer, toArray } from 'rxjs'
import type { RouteFields } from '../../src/domain/route'
import type { CallResult, JobApi, ListedJob, Operation } from '../../src/ports'

export type ApiFault = 'throttle' | 'lose-answer' | 'lose-request' | 'batch' | 'account' | 'new-code'
export type FetchFault = 'expired' | 'unreachable' | 'unreadable'

/** A provider to test against: jobs take a tenth of a second, three may be open, devices named `missing-…` fail. */
export interface JobApiHarness {
  readonly api: JobApi
  /** Calls that reached the provider. */
  calls(operation: Operation): number
  failNext(operation: Operation, fault: ApiFault): void
  failNextFetch(fault: FetchFault): void
  /** Somebody else's open job, past any limit. */
  addForeignJob(productKey: string): void
  close(): Promise<void>
}

const route: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  strategy: 0,
  targetInstanceIds: ['iot-cn-6ja9x1'],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'normal',
}
const devices = ['meter-0001', 'meter:0002', 'missing-03', 'meter@0004']

const answerOf = <T>(result: CallResult<T>): T => {
  if (!result.ok) throw new Error(`${result.kind}: ${result.code}: ${result.message}`)
  return result.value
}
const failureOf = (result: CallResult<unknown>): unknown => (result.ok ? 'ok' : result.kind)

/** What every JobApi promises. */
export const describeJobApi = (name: string, start: () => Promise<JobApiHarness>): void => {
  describe(`JobApi: ${name}`, () => {
    let harness: JobApiHarness
    beforeEach(async () => {
      harness = await start()
    })
    afterEach(() => harness.close())

    const ask = <T>(call: Observable<CallResult<T>>): Promise<CallResult<T>> => firstValueFrom(call)
    const create = async (names: readonly string[] = devices, on: RouteFields = route) =>
      answerOf(await ask(harness.api.create(on, names))).providerJobId
    const listed = async (productKey = route.productKey): Promise<readonly ListedJob[]> =>
      answerOf(await ask(harness.api.list({ productKey }))).jobs
    const until = <T>(read: () => Observable<T>, reached: (value: T) => boolean): Promise<T> =>
      firstValueFrom(defer(read).pipe(repeat({ delay: () => timer(10) }), first(reached)))
    const ended = (id: string) =>
      until(
        () => harness.api.query(id).pipe(map(answerOf)),
        job => job.status >= 2,
      )
    const urlOf = async (id: string) => answerOf(await ask(harness.api.detail(id))).url

    it('sends nothing before it is subscribed, and sends again when subscribed again', async () => {
      const call = harness.api.list({})
      expect(harness.calls('list')).toBe(0)
      await ask(call)
      await ask(call)
      expect(harness.calls('list')).toBe(2)
    })

    it('completes after one value', async () => {
      const answers = await firstValueFrom(harness.api.create(route, devices).pipe(toArray()))
      expect(answers).toEqual([{ ok: true, value: { providerJobId: expect.any(String) } }])
    })

    it('shows a job alike in List and Query, from open to completed', async () => {
      const id = await create()
      const [open] = await listed()
      expect(open).toEqual({
        providerJobId: id,
        status: expect.any(Number),
        productKey: route.productKey,
        sourceInstanceId: route.sourceInstanceId,
        strategy: 0,
        targetInstanceIds: ['iot-cn-6ja9x1'],
        targetUid: '1984000000000001',
        total: 4,
        createdAt: expect.any(Number),
      })
      expect(open?.status).toBeLessThan(2)
      const done = await ended(id)
      expect(done).toEqual({ ...open, status: 2 })
      expect(await listed()).toEqual([done])
    })

    it('sorts several targets, and takes an Aliyun id for an account', async () => {
      const targetInstanceIds = ['iot-b', 'iot-a', 'iot-c']
      await create(devices, {
        ...route,
        strategy: 1,
        targetInstanceIds,
        targetUid: null,
        targetAliyunId: 'io@example.com',
      })
      expect(await listed()).toEqual([
        expect.objectContaining({
          strategy: 1,
          targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'],
          targetUid: '1984000000000001',
        }),
      ])
    })

    it('hands out what became of each device sent', async () => {
      const id = await create()
      await ended(id)
      const results = await firstValueFrom(harness.api.fetchResults(await urlOf(id), devices).pipe(toArray()))
      expect(results).toEqual([
        {
          kind: 'rows',
          rows: expect.any(Map),
          file: { body: expect.any(Uint8Array), contentType: expect.any(String) },
        },
      ])
      const [fetched] = results
      const codes =
        fetched?.kind === 'rows' ? Array.from(fetched.rows, ([device, row]) => [device, row.code]) : []
      expect(Object.fromEntries(codes)).toEqual({
        'meter-0001': '200',
        'meter:0002': '200',
        'missing-03': 'iot.device.NotExistedDevice',
        'meter@0004': '200',
      })
    })

    it('shows no rows of devices that were not sent, and no file without any that was', async () => {
      const id = await create()
      await ended(id)
      const url = await urlOf(id)
      const some = await firstValueFrom(harness.api.fetchResults(url, ['meter@0004', 'stranger']))
      expect(some.kind === 'rows' && [...some.rows.keys()]).toEqual(['meter@0004'])
      const none = await firstValueFrom(harness.api.fetchResults(url, ['stranger']))
      expect(none).toMatchObject({
        kind: 'unreadable',
        message: expect.any(String),
        file: { body: expect.any(Uint8Array) },
      })
    })

    it.each(['expired', 'unreachable', 'unreadable'] as const)(
      'says of a file that it is %s',
      async fault => {
        const id = await create()
        await ended(id)
        const url = await urlOf(id)
        harness.failNextFetch(fault)
        expect(await firstValueFrom(harness.api.fetchResults(url, devices))).toMatchObject({ kind: fault })
        expect(await firstValueFrom(harness.api.fetchResults(url, devices))).toMatchObject({ kind: 'rows' })
      },
    )

    it('takes 10,000 devices in one job', async () => {
      const many = Array.from({ length: 10_000 }, (_, n) => `meter:${String(n).padStart(26, '0')}`)
      const id = await create(many)
      expect(await ended(id)).toMatchObject({ total: 10_000 })
      const fetched = await firstValueFrom(harness.api.fetchResults(await urlOf(id), many))
      expect(fetched.kind === 'rows' && fetched.rows.size).toBe(10_000)
    })

    it.each([
      ['throttle', 'throttled'],
      ['batch', 'batch-refused'],
      ['account', 'account-refused'],
      ['new-code', 'unknown'],
    ] as const)('a create that meets "%s" is %s and makes no job', async (fault, kind) => {
      harness.failNext('create', fault)
      const refused = await ask(harness.api.create(route, devices))
      expect(refused).toEqual({ ok: false, kind, code: expect.any(String), message: expect.any(String) })
      expect(await listed()).toEqual([])
      await create()
    })

    it.each(['list', 'query', 'detail'] as const)('a throttled %s is a value too', async operation => {
      const id = await create()
      await ended(id)
      harness.failNext(operation, 'throttle')
      const { api } = harness
      const again = { list: () => api.list({}), query: () => api.query(id), detail: () => api.detail(id) }[
        operation
      ]
      expect(failureOf(await ask<unknown>(again()))).toBe('throttled')
      expect(failureOf(await ask<unknown>(again()))).toBe('ok')
    })

    it('does not claim to know of a create whose answer was lost, though its job runs', async () => {
      harness.failNext('create', 'lose-answer')
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('unanswered')
      expect(await listed()).toHaveLength(1)
    })

    it('does not claim to know of a create that was lost on the way', async () => {
      harness.failNext('create', 'lose-request')
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('unanswered')
      expect(await listed()).toEqual([])
    })

    it('cannot take back a create by unsubscribing', async () => {
      harness.api.create(route, devices).subscribe().unsubscribe()
      const jobs = await until(
        () => harness.api.list({ productKey: route.productKey }).pipe(map(answerOf)),
        page => page.total > 0,
      )
      expect(jobs.jobs).toEqual([expect.objectContaining({ total: 4 })])
    })

    it('says so when no more jobs may be open, and counts those of other people', async () => {
      harness.addForeignJob('a1foreignKy')
      await create()
      await create()
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('slots-full')
      expect(await listed()).toHaveLength(2)
    })

    it('lists page after page, each job once, and by product', async () => {
      for (let n = 0; n < 205; n += 1) harness.addForeignJob('a1foreignKy')
      const pages = await firstValueFrom(
        harness.api.list({}).pipe(
          map(answerOf),
          concatMap(page => {
            if (page.nextToken === null) throw new Error('expected a second page')
            return harness.api
              .list({ nextToken: page.nextToken })
              .pipe(map(second => [page, answerOf(second)]))
          }),
        ),
      )
      expect(pages.map(page => page.jobs.length)).toEqual([200, 5])
      expect(new Set(pages.flatMap(page => page.jobs.map(job => job.providerJobId))).size).toBe(205)
      expect(pages.map(page => page.total)).toEqual([205, 205])
      expect(pages[1]?.nextToken).toBeNull()
      expect(await listed()).toEqual([])
    })

    it('guesses nothing about a job that the provider does not know', async () => {
      expect(failureOf(await ask(harness.api.query('NoSuchJob')))).toBe('unknown')
      expect(failureOf(await ask(harness.api.detail('NoSuchJob')))).toBe('unknown')
    })
  })
}
