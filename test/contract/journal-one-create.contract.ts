import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { RouteFields } from '../../src/domain/route'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'

const one = routeTo('iot-1')
const several = routeTo('iot-1', { strategy: 1, targetInstanceIds: ['iot-1', 'iot-2'] })

/** Pairs of routes whose jobs the provider's List shows alike. */
const lookAlikes: readonly (readonly [string, RouteFields, RouteFields])[] = [
  ['priority', one, { ...one, priority: 'urgent' }],
  ['target account: id against login', one, { ...one, targetUid: null, targetAliyunId: 'b@x' }],
  ['target account: two ids', one, { ...one, targetUid: '1985' }],
  ['order of targets', several, { ...several, targetInstanceIds: ['iot-2', 'iot-1'] }],
]

const distinct: readonly (readonly [string, RouteFields, RouteFields])[] = [
  ['product', one, { ...one, productKey: 'a1Other' }],
  ['source', one, { ...one, sourceInstanceId: 'iot-else' }],
  ['strategy', one, { ...one, strategy: 1 }],
  ['target', one, routeTo('iot-2')],
  ['set of targets', several, { ...several, targetInstanceIds: ['iot-1', 'iot-3'] }],
  ['number of targets', several, { ...several, targetInstanceIds: ['iot-1'] }],
]

/** Two creates without an answer that look alike could not be told apart, so there is one at a time. */
export const journalOneCreateContract = (name: string, journal: JournalUnderTest): void => {
  describe(`the journal, with one create of a route at a time (${name}),`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, finish } = journey
    const idle = { kind: 'idle', wakeInMs: null }

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    /** Claims a job of route `iot-1`, of which more moves are pending. */
    const claimedWithMorePending = async (): Promise<Job> => {
      await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: routeTo('iot-1'), devices: ['dev3'] })
      return job
    }
    /** The same, after a create without an answer, for which a listed job was adopted. */
    const adoptedWithMorePending = async (): Promise<Job> => {
      const { drive } = journey
      const job = await claimedWithMorePending()
      await firstValueFrom(drive.creating(job.batchId))
      await firstValueFrom(drive.unanswered(job.batchId, 'timeout'))
      await firstValueFrom(drive.adopted(job.batchId, 'Stranger'))
      return job
    }
    const refuse = async (job: Job): Promise<void> => {
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.notCreated(job.batchId, 'refused', true))
      await firstValueFrom(journey.drive.split(job.batchId, 'refused'))
    }

    it('leaves a route alone from claim to answer, whatever happens on the way', async () => {
      const job = await claimedWithMorePending()
      const inHand = [job.batchId]
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.creating(job.batchId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.notCreated(job.batchId, 'absent', false))
      expect(await claim(inHand)).toEqual(idle)
      await start(job)
      expect(names(await claimJob(inHand))).toEqual(['dev3'])
    })

    it.each(lookAlikes)('takes routes for one that differ only in %s', async (_what, left, right) => {
      await append({ requestId: 'r1', route: left, devices: ['dev1'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: right, devices: ['dev2'] })
      const inHand = [job.batchId]
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.creating(job.batchId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.hold(job, 'cannot be told from another'))
      expect(await claim()).toEqual(idle)
      await firstValueFrom(journey.drive.created(job.batchId, 'P'))
      expect(names(await claimJob(inHand))).toEqual(['dev2'])
    })

    it.each(distinct)('tells routes apart by their %s', async (_what, left, right) => {
      await append({ requestId: 'r1', route: left, devices: ['dev1'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: right, devices: ['dev2'] })
      await firstValueFrom(journey.drive.creating(job.batchId))
      expect(names(await claimJob([job.batchId]))).toEqual(['dev2'])
    })

    it('goes on with a route whose batch was refused for good', async () => {
      const job = await claimedWithMorePending()
      const failed = job.moves.map(({ seq }) => ({
        seq,
        outcome: 'failed' as const,
        final: true,
        code: 'iot.refused',
        message: null,
        retryInMs: null,
      }))
      await firstValueFrom(journey.drive.settle(job.batchId, failed, 'refused'))
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it('does not let an unknown job stop other routes', async () => {
      const job = await claimedWithMorePending()
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['dev4'] })
      const other = await claimJob([job.batchId])
      expect(names(other)).toEqual(['dev4'])
      await finish(other)
      expect(await claim([job.batchId])).toEqual(idle)
    })

    it('lets an unknown job that is held stop its route only', async () => {
      const job = await claimedWithMorePending()
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
      await firstValueFrom(journey.drive.hold(job, 'cannot be told from another'))
      expect(await claim()).toEqual(idle)
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['dev4'] })
      await finish(await claimJob())
      expect(await claim()).toEqual(idle)
      expect(await journey.at.conservation()).toMatchObject({ held: 2, pending: 1, moved: 1 })
    })

    it('lets a held batch that was not created stop nothing, and released take its turn', async () => {
      const job = await claimedWithMorePending()
      await firstValueFrom(journey.drive.hold(job, 'refused again and again'))
      const other = await claimJob()
      expect(names(other)).toEqual(['dev3'])
      await journey.at.releaseJob(job.batchId)
      // The other job is about to be created.
      expect(await claim([other.batchId])).toEqual(idle)
      await firstValueFrom(journey.drive.creating(other.batchId))
      expect(await claim([other.batchId])).toEqual(idle)
      await firstValueFrom(journey.drive.created(other.batchId, 'P'))
      expect(await claimJob([other.batchId])).toMatchObject({ batchId: job.batchId, status: 'claimed' })
    })

    it('lets a running job that is held stop nothing', async () => {
      const job = await claimedWithMorePending()
      await start(job)
      await firstValueFrom(journey.drive.hold(job, 'unreadable'))
      expect(await journey.at.conservation()).toMatchObject({ held: 2, pending: 1 })
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it("looks for the later of two creates first, where the earlier had adopted another's job", async () => {
      const { drive } = journey
      const job = await adoptedWithMorePending()
      const later = await claimJob([job.batchId])
      expect(names(later)).toEqual(['dev3'])
      await firstValueFrom(drive.markEnded(job, 'completed'))
      await firstValueFrom(drive.unadopted(job.batchId))
      const inHand = [later.batchId]
      // The later one is created, and its create has no answer.
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(drive.creating(later.batchId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(drive.unanswered(later.batchId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      expect(await claimJob()).toMatchObject({ batchId: later.batchId, status: 'unknown' })
      await firstValueFrom(drive.adopted(later.batchId, 'P'))
      expect(await claimJob(inHand)).toMatchObject({ batchId: job.batchId, status: 'unknown' })
    })

    it('sends nothing more beside a create that is looked for again', async () => {
      const { drive } = journey
      const job = await adoptedWithMorePending()
      const later = await claimJob([job.batchId])
      await firstValueFrom(drive.markEnded(job, 'completed'))
      await firstValueFrom(drive.unadopted(job.batchId))
      // It is released before it was created, and now waits its turn.
      expect(await claimJob()).toMatchObject({ batchId: job.batchId, status: 'unknown' })
      expect(await claim([job.batchId])).toEqual(idle)
      await firstValueFrom(drive.notCreated(job.batchId, 'absent', false))
      expect(await claimJob()).toMatchObject({ batchId: job.batchId, status: 'claimed' })
      await start(job)
      expect(await claimJob([job.batchId])).toMatchObject({ batchId: later.batchId })
    })

    it('gives the first half of a refused batch alone, until it runs', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      await refuse(await claimJob())
      const first = await claimJob()
      expect(names(first)).toEqual(['dev1'])
      expect(await claimJob()).toEqual(first)
      expect(await claim([first.batchId])).toEqual(idle)
      await firstValueFrom(journey.drive.creating(first.batchId))
      expect(await claim([first.batchId])).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(first.batchId, 'timeout'))
      expect(await claimJob()).toMatchObject({ batchId: first.batchId, status: 'unknown' })
      expect(await claim([first.batchId])).toEqual(idle)
      await firstValueFrom(journey.drive.created(first.batchId, 'P'))
      expect(names(await claimJob([first.batchId]))).toEqual(['dev2'])
    })

    it('halves a batch again and again; a device in both halves is sent by one at a time', async () => {
      await append(
        { requestId: 'r1', devices: ['dev1', 'dev2', 'dev3', 'dev4'] },
        { requestId: 'r2', devices: ['dev1'] },
      )
      const whole = await claimJob()
      await refuse(whole)
      await firstValueFrom(journey.drive.split(whole.batchId, 'done twice is done once'))
      const first = await claimJob()
      expect(first).toMatchObject({ status: 'claimed', refusals: 2, splitRootRefusals: 2 })
      expect(names(first)).toEqual(['dev1', 'dev2'])
      await firstValueFrom(journey.drive.split(first.batchId, 'refused again'))
      const second = await claimJob()
      expect(second).toMatchObject({ refusals: 2, splitRootRefusals: 3 })
      expect(names(second)).toEqual(['dev3', 'dev4'])
      await start(second)
      const quarter = await claimJob([second.batchId])
      expect(quarter).toMatchObject({ refusals: 3, splitRootRefusals: 3 })
      expect(names(quarter)).toEqual(['dev1'])
      expect(await claim([second.batchId, quarter.batchId])).toEqual(idle)
      await finish(quarter)
      const other = await claimJob([second.batchId])
      expect(names(other)).toEqual(['dev2'])
      await start(other)
      // It has waited for the quarter that sends the same device.
      expect(names(await claimJob([second.batchId, other.batchId]))).toEqual(['dev1'])
    })
  })
}
