import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'

const devices = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `dev${String(from + index).padStart(2, '0')}`)

/** A search for bad devices gives way to fresh work, and never fails a device for another one's sake. */
export const journalSearchContract = (name: string, journal: JournalUnderTest): void => {
  describe(`the journal, with a search for bad devices (${name}),`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, finish, end } = journey
    const idle = { kind: 'idle', wakeInMs: null }

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    const refuse = async (job: Job): Promise<void> => {
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.search(job.batchId, { kind: 'halve' }, 'iot.x: bad'))
    }
    const searched = async (count: number): Promise<Job> => {
      await append({ requestId: 'r1', devices: devices(count) })
      const whole = await claimJob()
      await refuse(whole)
      return whole
    }

    it('offers the pieces one after the other, when nothing else is ready', async () => {
      const whole = await searched(8)
      await firstValueFrom(journey.drive.search(whole.batchId, { kind: 'halve' }, 'done twice is done once'))
      const first = await claimJob()
      expect(first).toMatchObject({
        status: 'claimed',
        refusals: 0,
        search: { part: 'piece', devices: 8, refusals: 1, hasAccepted: false, drawnLeft: 0 },
      })
      expect(names(first)).toEqual(devices(4))
      expect(await claim([first.batchId])).toEqual(idle)
      await refuse(first)
      const second = await claimJob()
      expect(second).toMatchObject({ search: { refusals: 2, hasAccepted: false } })
      expect(names(second)).toEqual(devices(4, 4))
      await start(second)
      expect(await claimJob([second.batchId])).toMatchObject({ search: { hasAccepted: true } })
    })

    it('halves the other half of an accepted piece without sending it, since it must be the reason', async () => {
      await searched(8)
      const first = await claimJob()
      await start(first)
      const quarter = await claimJob([first.batchId])
      expect(names(quarter)).toEqual(devices(2, 4))
      expect(quarter).toMatchObject({ search: { part: 'piece', devices: 8, hasAccepted: true } })
    })

    it('sends the other half of a piece for which a job was only found in List', async () => {
      await searched(8)
      const first = await claimJob()
      await firstValueFrom(journey.drive.creating(first.batchId))
      await firstValueFrom(journey.drive.unanswered(first.batchId, 'timeout'))
      await firstValueFrom(journey.drive.adopted(first.batchId, 'P'))
      const second = await claimJob([first.batchId])
      expect(names(second)).toEqual(devices(4, 4))
      expect(second).toMatchObject({ search: { hasAccepted: false } })
    })

    it('lets fresh batches of its own route go on, and takes its turn only when it may', async () => {
      await searched(8)
      await append({ requestId: 'r2', devices: ['fresh1'] })
      const fresh = await claimJob()
      expect(names(fresh)).toEqual(['fresh1'])
      await start(fresh)
      await append({ requestId: 'r3', devices: ['fresh2'] })
      const piece = await claim([fresh.batchId], true)
      expect(piece).toMatchObject({ kind: 'job', job: { search: { part: 'piece' } } })
      const inHand = [fresh.batchId, piece.kind === 'job' ? piece.job.batchId : 0]
      // The piece in hand looks like the fresh batch in List, which therefore waits for its answer.
      expect(await claim(inHand)).toEqual(idle)
      // Nobody has it in hand any longer, as after a restart: the fresh batch goes first.
      expect(names(await claimJob([fresh.batchId]))).toEqual(['fresh2'])
    })

    it('counts a route that waits for an answer as ready, so that pieces of others give way to it', async () => {
      await searched(8)
      await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['fresh1'] })
      const fresh = await claimJob()
      expect(names(fresh)).toEqual(['fresh1'])
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['fresh2'] })
      expect(await claim([fresh.batchId])).toMatchObject({ kind: 'idle' })
      expect(await claim([fresh.batchId], true)).toMatchObject({ job: { search: { part: 'piece' } } })
      await firstValueFrom(journey.drive.creating(fresh.batchId))
      expect(await claim([fresh.batchId])).toMatchObject({ kind: 'idle' })
      // For how long a create without an answer keeps its route waiting is not known.
      await firstValueFrom(journey.drive.unanswered(fresh.batchId, 'timeout'))
      expect(await claim([fresh.batchId])).toMatchObject({ job: { search: { part: 'piece' } } })
    })

    it('draws single devices before anything else, and goes on when one is accepted', async () => {
      await searched(20)
      const first = await claimJob()
      await firstValueFrom(journey.drive.creating(first.batchId))
      const numbers = [0, 0.5, 0.99]
      await firstValueFrom(journey.drive.search(first.batchId, { kind: 'draw', numbers }, 'iot.x: bad'))
      const drawn = await claimJob()
      expect(drawn).toMatchObject({ search: { part: 'drawn', devices: 20, drawnLeft: 3 } })
      expect(names(drawn)).toEqual(['dev00'])
      await firstValueFrom(journey.drive.creating(drawn.batchId))
      await firstValueFrom(journey.drive.search(drawn.batchId, { kind: 'set-aside' }, 'iot.x: bad'))
      const next = await claimJob()
      expect(names(next)).toEqual(['dev10'])
      expect(next).toMatchObject({ search: { part: 'drawn', drawnLeft: 2 } })
      await finish(next)
      expect(names(await claimJob())).toEqual(['dev19'])
      await finish(await claimJob())
      for (;;) {
        const more = await claim()
        if (more.kind !== 'job') break
        // The device that was set aside comes last.
        if (more.job.search?.part === 'set-aside') expect(names(more.job)).toEqual(['dev00'])
        await finish(more.job)
      }
      expect(await journey.at.conservation()).toMatchObject({ moved: 20, gap: 0 })
    })

    it('is held as one batch when all drawn devices were refused, and starts over when it is released', async () => {
      await searched(12)
      const first = await claimJob()
      await firstValueFrom(journey.drive.creating(first.batchId))
      await firstValueFrom(journey.drive.search(first.batchId, { kind: 'draw', numbers: [0, 0.9] }, 'iot.x'))
      const drawn = await claimJob()
      await firstValueFrom(journey.drive.creating(drawn.batchId))
      await firstValueFrom(journey.drive.search(drawn.batchId, { kind: 'set-aside' }, 'iot.x'))
      const latest = await claimJob()
      await firstValueFrom(journey.drive.creating(latest.batchId))
      const held = await firstValueFrom(
        journey.drive.search(latest.batchId, { kind: 'hold-search' }, 'not the devices'),
      )
      expect(await claim()).toEqual(idle)
      expect(await journey.at.heldReason(held)).toBe('not the devices')
      expect(await journey.at.conservation()).toMatchObject({ held: 12, failed: 0, gap: 0 })
      await journey.at.releaseJob(held)
      const again = await claimJob()
      expect(again).toMatchObject({ batchId: held, search: null, splitRootRefusals: 0 })
      expect(names(again)).toEqual(devices(12))
      await finish(again)
    })

    it('sends a device that is named twice in one part only, also when it is drawn', async () => {
      await append(
        { requestId: 'r1', devices: devices(10) },
        { requestId: 'r2', devices: ['dev03', 'dev09'] },
      )
      await refuse(await claimJob())
      const first = await claimJob()
      await firstValueFrom(journey.drive.creating(first.batchId))
      await firstValueFrom(journey.drive.search(first.batchId, { kind: 'draw', numbers: [0.3] }, 'iot.x'))
      const drawn = await claimJob()
      expect(names(drawn)).toEqual(['dev03'])
      await start(drawn)
      const inHand = [drawn.batchId]
      for (;;) {
        const more = await claim(inHand)
        if (more.kind !== 'job') break
        expect(names(more.job)).not.toContain('dev03')
        await finish(more.job)
      }
      await end(drawn)
      // The second request for the device has waited for the first.
      const second = await claimJob()
      expect(names(second)).toEqual(['dev03'])
      await finish(second)
    })
  })
}
