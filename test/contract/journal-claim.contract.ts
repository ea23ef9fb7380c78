import { firstValueFrom } from 'rxjs'
import { TransientError } from '../../src/ports/errors'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names, retried } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'
import { until } from '../support/until'

/** What every implementation of the journal promises of claims. */
export const journalClaimContract = (name: string, journal: JournalUnderTest): void => {
  describe(`a claim in the journal (${name})`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, end, finish, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    it('never ends while there is nothing to claim', async () => {
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it('waits for a fuller batch, but not longer than agreed', async () => {
      await journey.open({ batchMaxDevices: 2, batchMaxWaitMs: 600_000 })
      await append({ requestId: 'r1', devices: ['dev1'] })
      const idle = await claim()
      if (idle.kind !== 'idle' || idle.wakeInMs === null) throw new Error('should be idle for a while')
      expect(idle.wakeInMs).toBeGreaterThan(500_000)
      expect(idle.wakeInMs).toBeLessThanOrEqual(600_000)
      await append({ requestId: 'r2', devices: ['dev2', 'dev3'] })
      expect(names(await claimJob())).toEqual(['dev1', 'dev2'])
    })

    it('leaves a route alone for a while whose claim took too long, claims others, and then takes less of it', async () => {
      const devices = ['dev1', 'dev2', 'dev3', 'dev4', 'dev5']
      await append({ requestId: 'r1', route: routeTo('iot-1'), devices })
      const probe = await claimJob()
      await finish(probe)
      await append({ requestId: 'r2', route: probe.route, devices })
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['other'] })
      await journey.at.limitClaims(probe.routeId, 4)
      await expect(claim()).rejects.toThrow(TransientError)
      const other = await claimJob()
      expect(names(other)).toEqual(['other'])
      const idle = await claim([other.batchId])
      if (idle.kind !== 'idle' || idle.wakeInMs === null) throw new Error('should be idle for a while')
      expect(idle.wakeInMs).toBeGreaterThan(0)
      const ranges: string[][] = []
      const inHand = [other.batchId]
      await until(async () => {
        const claimed = await claim(inHand)
        if (claimed.kind === 'job') {
          ranges.push(names(claimed.job))
          await finish(claimed.job)
        }
        return ranges.flat().length === devices.length
      }, 20)
      expect(ranges.flat()).toEqual(devices)
      expect(ranges[0]).toEqual(['dev1', 'dev2'])
      await finish(other)
    })

    it('gives a job back until it is in hand, as it stands', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      expect(job).toMatchObject({
        status: 'claimed',
        providerJobId: null,
        createStartedAt: null,
        refusals: 0,
      })
      expect(await claimJob()).toEqual(job)
      expect(await claim([job.batchId])).toEqual({ kind: 'idle', wakeInMs: null })
      await start(job)
      expect(await claimJob()).toMatchObject({
        batchId: job.batchId,
        status: 'running',
        providerJobId: `P${job.batchId}`,
      })
    })

    it('gives jobs back that may be open before those that are still to be created, so that they are counted first', async () => {
      await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] })
      const waiting = await claimJob()
      await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['dev2'] })
      const unanswered = await claimJob([waiting.batchId])
      await firstValueFrom(journey.drive.creating(unanswered.batchId))
      expect((await claimJob()).batchId).toBe(unanswered.batchId)
      expect((await claimJob([unanswered.batchId])).batchId).toBe(waiting.batchId)
    })

    it('takes urgent routes first, and none that is held or has an unanswered create', async () => {
      await append(
        { requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] },
        { requestId: 'r2', route: routeTo('iot-2', { priority: 'urgent' }), devices: ['dev2'] },
      )
      const urgent = await claimJob()
      expect(names(urgent)).toEqual(['dev2'])
      await firstValueFrom(journey.drive.creating(urgent.batchId))
      await append({ requestId: 'r3', route: urgent.route, devices: ['dev3'] })
      const normal = await claimJob([urgent.batchId])
      expect(names(normal)).toEqual(['dev1'])
      const inHand = [urgent.batchId, normal.batchId]
      expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
      await firstValueFrom(journey.drive.unanswered(urgent.batchId, 'timeout'))
      expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
      await firstValueFrom(journey.drive.created(urgent.batchId, 'P'))
      await journey.at.holdRoute(urgent.routeId, true)
      expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await journey.at.conservation()).toMatchObject({ held: 1, in_flight: 2 })
      await journey.at.holdRoute(urgent.routeId, false)
      expect(names(await claimJob(inHand))).toEqual(['dev3'])
    })

    it('sends a repeat of a request once', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] }, { requestId: 'r1', devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      expect(names(job)).toEqual(['dev1', 'dev2'])
      await finish(job)
      await append({ requestId: 'r1', route: routeTo('iot-else'), devices: ['dev1'] })
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await journey.at.conservation()).toMatchObject({ accepted: 4, moved: 2, duplicate: 2 })
      expect(await published()).toHaveLength(2)
    })

    it('sends a device once when two requests in a batch name it, and both get its outcome', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] }, { requestId: 'r2', devices: ['dev1'] })
      const job = await claimJob()
      expect(names(job)).toEqual(['dev1', 'dev1'])
      await finish(job)
      expect((await published()).map(({ requestId }) => requestId)).toEqual(['r1', 'r2'])
    })

    it('lets a request wait for an earlier one of the same device, elsewhere, until it is final', async () => {
      await append(
        { requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] },
        { requestId: 'r2', route: routeTo('iot-2', { priority: 'urgent' }), devices: ['dev1', 'dev2'] },
      )
      const urgent = await claimJob()
      expect(names(urgent)).toEqual(['dev2'])
      await start(urgent)
      const first = await claimJob([urgent.batchId])
      expect(names(first)).toEqual(['dev1'])
      expect(await claim([urgent.batchId, first.batchId])).toEqual({ kind: 'idle', wakeInMs: null })
      await finish(first, retried)
      // When it is released, the earlier one is still unfinished.
      const again = await claimJob([urgent.batchId])
      expect(again).toMatchObject({ routeId: first.routeId, moves: [{ deviceName: 'dev1', attempt: 2 }] })
      await finish(again)
      const last = await claimJob([urgent.batchId])
      expect(last).toMatchObject({ routeId: urgent.routeId, moves: [{ deviceName: 'dev1', attempt: 1 }] })
      await finish(last)
      await end(urgent)
      const outcomes = (await published()).filter(({ deviceName }) => deviceName === 'dev1')
      expect(outcomes.map(({ requestId, final, attempt }) => [requestId, final, attempt])).toEqual([
        ['r1', false, 1],
        ['r1', true, 2],
        ['r2', true, 1],
      ])
    })

    it('sends together what waited for the same device on the same route', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const first = await claimJob()
      await start(first)
      const inHand = [first.batchId]
      for (const requestId of ['r2', 'r3', 'r4']) {
        await append({ requestId, devices: ['dev1'] }, { requestId, devices: ['dev1'] })
        expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
      }
      await end(first)
      const rest = await claimJob()
      expect(names(rest)).toEqual(['dev1', 'dev1', 'dev1'])
      await finish(rest)
      expect((await published()).map(({ requestId }) => requestId)).toEqual(['r1', 'r2', 'r3', 'r4'])
      expect(await journey.at.conservation()).toMatchObject({ moved: 4, duplicate: 3 })
    })

    it('keeps the order of requests of a device that go to and fro', async () => {
      const [there, back] = [routeTo('iot-1'), routeTo('iot-2')]
      const order = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6']
      await append(
        ...order.map((requestId, index) => ({
          requestId,
          route: index % 2 === 0 ? there : back,
          devices: ['dev1'],
        })),
      )
      for (const _request of order) await finish(await claimJob())
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      expect((await published()).map(({ requestId }) => requestId)).toEqual(order)
    })

    it('does not confuse devices of different products', async () => {
      const other = routeTo('iot-1', { productKey: 'a1Other', priority: 'urgent' })
      await append(
        { requestId: 'r1', devices: ['dev1'] },
        { requestId: 'r1', route: other, devices: ['dev1'] },
      )
      const first = await claimJob()
      expect(names(first)).toEqual(['dev1'])
      expect(names(await claimJob([first.batchId]))).toEqual(['dev1'])
    })
  })
}
