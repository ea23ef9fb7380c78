import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'

/** A route that was refused costs no device an attempt, is tried by itself, and can be given up. */
export const journalRefusedRouteContract = (name: string, journal: JournalUnderTest): void => {
  describe(`the journal, with a refused route (${name}),`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, finish, end, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    const why = 'iot.system.InstanceNotFound: no such instance'
    const refuse = async (job: Job): Promise<void> => {
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.holdRoute(job.batchId, why))
    }
    /** A refused batch of two devices, and one device more. */
    const refused = async (): Promise<Job> => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      await append({ requestId: 'r2', devices: ['dev3'] })
      await refuse(job)
      return job
    }

    it('holds it with the reason, and costs no device an attempt', async () => {
      const job = await refused()
      await firstValueFrom(journey.drive.holdRoute(job.batchId, why))
      expect(await claim()).toMatchObject({ kind: 'idle' })
      expect(await journey.at.routeHold(job.routeId)).toEqual({ kind: 'refused', reason: why })
      expect(await journey.at.conservation()).toMatchObject({ held: 3, failed: 0, gap: 0 })
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['dev4'] })
      expect(names(await claimJob())).toEqual(['dev4'])
    })

    it('tries one batch when it is time, and no other until the next time', async () => {
      const job = await refused()
      await journey.at.passTimeToTry(job.routeId)
      const tried = await claimJob()
      expect(tried).toMatchObject({
        batchId: job.batchId,
        status: 'claimed',
        moves: [{ attempt: 1 }, { attempt: 1 }],
      })
      expect(await claim([job.batchId])).toMatchObject({ kind: 'idle' })
      await refuse(tried)
      expect(await claim()).toMatchObject({ kind: 'idle' })
      expect(await journey.at.routeHold(job.routeId)).toEqual({ kind: 'refused', reason: why })
    })

    it('lets it go when a batch of it is created', async () => {
      const job = await refused()
      await journey.at.passTimeToTry(job.routeId)
      await start(await claimJob())
      expect(await journey.at.routeHold(job.routeId)).toBeNull()
      expect(names(await claimJob([job.batchId]))).toEqual(['dev3'])
    })

    it('lets it go when a batch of it is refused for its devices, since the route is accepted then', async () => {
      const job = await refused()
      await journey.at.passTimeToTry(job.routeId)
      await firstValueFrom(journey.drive.creating((await claimJob()).batchId))
      await firstValueFrom(journey.drive.search(job.batchId, { kind: 'halve' }, 'iot.x: bad'))
      expect(await journey.at.routeHold(job.routeId)).toBeNull()
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it('tries again at once when it is released', async () => {
      const job = await refused()
      await journey.at.holdRoute(job.routeId, false)
      const again = await claimJob()
      expect(again).toMatchObject({ batchId: job.batchId })
      await finish(again)
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it('does not try it by itself once an operator holds it', async () => {
      const job = await refused()
      await journey.at.holdRoute(job.routeId, true)
      expect(await journey.at.routeHold(job.routeId)).toEqual({ kind: 'operator', reason: 'test' })
      await journey.at.passTimeToTry(job.routeId)
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      await journey.at.holdRoute(job.routeId, false)
      expect(await claimJob()).toMatchObject({ batchId: job.batchId })
    })

    it('leaves the hold of an operator when a batch that was bound before is refused', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      await journey.at.holdRoute(job.routeId, true)
      await refuse(job)
      expect(await journey.at.routeHold(job.routeId)).toEqual({ kind: 'operator', reason: 'test' })
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it('keeps the pieces of its searches until it is released', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const whole = await claimJob()
      await firstValueFrom(journey.drive.creating(whole.batchId))
      await firstValueFrom(journey.drive.search(whole.batchId, { kind: 'halve' }, 'iot.x'))
      await refuse(await claimJob())
      expect(await claim()).toMatchObject({ kind: 'idle' })
      await journey.at.holdRoute(whole.routeId, false)
      const first = await claimJob()
      await start(first)
      expect(names(await claimJob([first.batchId]))).toEqual(['dev2'])
    })

    describe('when it is cancelled,', () => {
      it('ends what is pending as failed, with the attempt that would have come, and releases it', async () => {
        const job = await refused()
        expect(await journey.at.cancelRoute(job.routeId)).toEqual({ cancelled: 3, inFlight: 0 })
        expect(await journey.at.cancelRoute(job.routeId)).toEqual({ cancelled: 0, inFlight: 0 })
        expect(await journey.at.conservation()).toMatchObject({ failed: 3, held: 0, pending: 0, gap: 0 })
        expect(await journey.at.routeHold(job.routeId)).toBeNull()
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
        const outcomes = await published()
        expect(outcomes.map(({ deviceName }) => deviceName)).toEqual(['dev1', 'dev2', 'dev3'])
        for (const outcome of outcomes)
          expect(outcome).toMatchObject({
            outcome: 'failed',
            final: true,
            code: 'cancelled',
            attempt: 1,
            jobId: null,
          })
      })

      it('takes a batch back that is in hand and not sent yet', async () => {
        await append({ requestId: 'r1', devices: ['dev1'] })
        const job = await claimJob()
        expect(await journey.at.cancelRoute(job.routeId)).toEqual({ cancelled: 1, inFlight: 0 })
        expect(await firstValueFrom(journey.drive.creating(job.batchId), { defaultValue: null })).toBeNull()
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      })

      it('leaves jobs that may exist, and counts their moves', async () => {
        await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
        const job = await claimJob()
        await firstValueFrom(journey.drive.creating(job.batchId))
        await append({ requestId: 'r2', devices: ['dev3'] })
        expect(await journey.at.cancelRoute(job.routeId)).toEqual({ cancelled: 1, inFlight: 2 })
        await firstValueFrom(journey.drive.created(job.batchId, 'P'))
        await end(job)
        expect(await journey.at.conservation()).toMatchObject({ moved: 2, failed: 1, gap: 0 })
      })

      it('counts a repeat as duplicate, ends what waits for its next attempt, and wakes who waits behind', async () => {
        await append({ requestId: 'r1', devices: ['dev1'] })
        const job = await claimJob()
        await start(job)
        await end(job, { outcome: 'failed', final: false, code: 'iot.again', retryInMs: 3_600_000 })
        await append(
          { requestId: 'r1', devices: ['dev1'] },
          { requestId: 'r2', devices: ['dev1'] },
          { requestId: 'r3', route: routeTo('iot-2'), devices: ['dev1'] },
        )
        // The request for the other target waits behind those of this route.
        expect(await claim()).toMatchObject({ kind: 'idle' })
        expect(await journey.at.cancelRoute(job.routeId)).toEqual({ cancelled: 2, inFlight: 0 })
        expect(await journey.at.conservation()).toMatchObject({ failed: 2, duplicate: 1, gap: 0 })
        const attempts = (await published()).map(({ requestId, attempt, code }) => [requestId, attempt, code])
        expect(attempts).toContainEqual(['r1', 2, 'cancelled'])
        expect(attempts).toContainEqual(['r2', 1, 'cancelled'])
        const woken = await claimJob()
        expect(woken).toMatchObject({ route: routeTo('iot-2') })
        await finish(woken)
      })

      it('leaves the hold of an operator', async () => {
        await append({ requestId: 'r1', devices: ['dev1'] })
        await journey.at.holdRoute(1, true)
        expect(await journey.at.cancelRoute(1)).toEqual({ cancelled: 1, inFlight: 0 })
        expect(await journey.at.routeHold(1)).toEqual({ kind: 'operator', reason: 'test' })
      })
    })
  })
}
