import { concatMap, firstValueFrom, map, of, toArray } from 'rxjs'
import {
  answerOf,
  ask,
  create,
  devices,
  ended,
  failureOf,
  type JobApiHarness,
  listed,
  route,
  until,
} from './job-api-harness'

/** What every JobApi promises of its calls. */
export const describeJobApi = (name: string, start: () => Promise<JobApiHarness>): void => {
  describe(`the job API (${name})`, () => {
    let harness: JobApiHarness
    beforeEach(async () => {
      harness = await start()
    })
    afterEach(() => harness.close())

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

    it('shows a job alike in List and Query, from created to completed', async () => {
      const id = await create(harness.api)
      const [created] = await listed(harness.api)
      expect(created).toEqual({
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
      const done = await ended(harness.api, id)
      expect(done).toEqual({ ...created, status: 2 })
      expect(await listed(harness.api)).toEqual([done])
    })

    it('sorts several targets, and takes an Aliyun id for an account', async () => {
      const targetInstanceIds = ['iot-b', 'iot-a', 'iot-c']
      await create(harness.api, devices, {
        ...route,
        strategy: 1,
        targetInstanceIds,
        targetUid: null,
        targetAliyunId: 'io@example.com',
      })
      expect(await listed(harness.api)).toEqual([
        expect.objectContaining({
          strategy: 1,
          targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'],
          targetUid: '1984000000000001',
        }),
      ])
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
      expect(await listed(harness.api)).toEqual([])
      await create(harness.api)
    })

    it.each(['list', 'query', 'detail'] as const)(
      'gives a throttled %s as a value, not as an error',
      async operation => {
        const id = await create(harness.api)
        await ended(harness.api, id)
        harness.failNext(operation, 'throttle')
        const { api } = harness
        const again = { list: () => api.list({}), query: () => api.query(id), detail: () => api.detail(id) }[
          operation
        ]
        expect(failureOf(await ask<unknown>(again()))).toBe('throttled')
        expect(failureOf(await ask<unknown>(again()))).toBe('ok')
      },
    )

    it('calls a create unanswered whose answer was lost, though its job runs', async () => {
      harness.failNext('create', 'lose-answer')
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('unanswered')
      expect(await listed(harness.api)).toHaveLength(1)
    })

    it('calls a create unanswered that was lost on the way', async () => {
      harness.failNext('create', 'lose-request')
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('unanswered')
      expect(await listed(harness.api)).toEqual([])
    })

    it('cannot take back a create that has left', async () => {
      const subscription = harness.api.create(route, devices).subscribe()
      await until(
        () => of(harness.calls('create')),
        calls => calls === 1,
      )
      subscription.unsubscribe()
      const jobs = await until(
        () => harness.api.list({ productKey: route.productKey }).pipe(map(answerOf)),
        page => page.total > 0,
      )
      expect(jobs.jobs).toEqual([expect.objectContaining({ total: 4 })])
    })

    it('says that no more jobs may be open, and counts those of other people', async () => {
      for (let n = 0; n < 3; n += 1) harness.addForeignJob('a1foreignKy')
      expect(failureOf(await ask(harness.api.create(route, devices)))).toBe('slots-full')
      expect(await listed(harness.api)).toEqual([])
      const theirs = await listed(harness.api, 'a1foreignKy')
      expect(theirs.map(job => job.status < 2)).toEqual([true, true, true])
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
      expect(await listed(harness.api)).toEqual([])
    })

    it('says where a device is, and how it came there', async () => {
      const id = await create(harness.api)
      const before = answerOf(await ask(harness.api.provisioning(route.productKey, 'meter:0002')))
      expect(before).toEqual({
        instanceId: route.sourceInstanceId,
        cameFrom: route.sourceInstanceId,
        sentAt: expect.any(Number),
        changedAt: before.sentAt,
      })
      const { createdAt } = await ended(harness.api, id)
      const after = answerOf(await ask(harness.api.provisioning(route.productKey, 'meter:0002')))
      expect(after).toEqual({
        instanceId: 'iot-cn-6ja9x1',
        cameFrom: route.sourceInstanceId,
        sentAt: createdAt,
        changedAt: expect.any(Number),
      })
      expect(after.changedAt).toBeGreaterThanOrEqual(createdAt)
      expect(harness.calls('provisioning')).toBe(2)
    })

    it('fails when it is asked for a device that it does not know', async () => {
      expect(await ask(harness.api.provisioning(route.productKey, 'nobody'))).toMatchObject({
        ok: false,
        kind: 'batch-refused',
        code: 'iot.device.NotExistedDevice',
      })
    })

    it.each([
      ['throttle', 'throttled'],
      ['account', 'account-refused'],
      ['new-code', 'unknown'],
      ['lose-answer', 'unanswered'],
    ] as const)('a look-up that meets "%s" is %s', async (fault, kind) => {
      const id = await create(harness.api)
      await ended(harness.api, id)
      harness.failNext('provisioning', fault)
      const again = () => ask(harness.api.provisioning(route.productKey, 'meter-0001'))
      expect(failureOf(await again())).toBe(kind)
      expect(failureOf(await again())).toBe('ok')
    })

    it('guesses nothing about a job that the provider does not know', async () => {
      expect(failureOf(await ask(harness.api.query('NoSuchJob')))).toBe('unknown')
      expect(failureOf(await ask(harness.api.detail('NoSuchJob')))).toBe('unknown')
    })
  })
}
