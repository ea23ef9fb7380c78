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
  describe(`journal, one create of a route at a time: ${name}`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, finish } = journey
    const idle = { kind: 'idle', wakeInMs: null }

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    /** A claimed job of route `iot-1`; more of that route is pending. */
    const claimedWithMorePending = async (): Promise<Job> => {
      await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1', 'dev2'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: routeTo('iot-1'), devices: ['dev3'] })
      return job
    }
    /** The same, after a create without an answer for which a listed job was taken. */
    const adoptedWithMorePending = async (): Promise<Job> => {
      const { drive } = journey
      const job = await claimedWithMorePending()
      await firstValueFrom(drive.creating(job.jobId))
      await firstValueFrom(drive.unanswered(job.jobId, 'timeout'))
      await firstValueFrom(drive.adopted(job.jobId, 'Stranger'))
      return job
    }
    const refuse = async (job: Job): Promise<void> => {
      await firstValueFrom(journey.drive.creating(job.jobId))
      await firstValueFrom(journey.drive.notCreated(job.jobId, 'refused', true))
      await firstValueFrom(journey.drive.split(job.jobId, 'refused'))
    }

    it('leaves a route alone from claim to answer, whatever happens on the way', async () => {
      const job = await claimedWithMorePending()
      const inHand = [job.jobId]
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.creating(job.jobId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(job.jobId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.notCreated(job.jobId, 'absent', false))
      expect(await claim(inHand)).toEqual(idle)
      await start(job)
      expect(names(await claimJob(inHand))).toEqual(['dev3'])
    })

    it.each(lookAlikes)('takes routes for one that differ only in %s', async (_what, left, right) => {
      await append({ requestId: 'r1', route: left, devices: ['dev1'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: right, devices: ['dev2'] })
      const inHand = [job.jobId]
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.creating(job.jobId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(job.jobId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(journey.drive.hold(job, 'cannot be told from another'))
      expect(await claim()).toEqual(idle)
      await firstValueFrom(journey.drive.created(job.jobId, 'P'))
      expect(names(await claimJob(inHand))).toEqual(['dev2'])
    })

    it.each(distinct)('tells routes apart by their %s', async (_what, left, right) => {
      await append({ requestId: 'r1', route: left, devices: ['dev1'] })
      const job = await claimJob()
      await append({ requestId: 'r2', route: right, devices: ['dev2'] })
      await firstValueFrom(journey.drive.creating(job.jobId))
      expect(names(await claimJob([job.jobId]))).toEqual(['dev2'])
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
      await firstValueFrom(journey.drive.settle(job.jobId, failed, 'refused'))
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it('does not let an unknown job stop other routes', async () => {
      const job = await claimedWithMorePending()
      await firstValueFrom(journey.drive.creating(job.jobId))
      await firstValueFrom(journey.drive.unanswered(job.jobId, 'timeout'))
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['dev4'] })
      const other = await claimJob([job.jobId])
      expect(names(other)).toEqual(['dev4'])
      await finish(other)
      expect(await claim([job.jobId])).toEqual(idle)
    })

    it('lets an unknown job that is held stop its route only', async () => {
      const job = await claimedWithMorePending()
      await firstValueFrom(journey.drive.creating(job.jobId))
      await firstValueFrom(journey.drive.unanswered(job.jobId, 'timeout'))
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
      await journey.at.releaseJob(job.jobId)
      // The other is about to be created.
      expect(await claim([other.jobId])).toEqual(idle)
      await firstValueFrom(journey.drive.creating(other.jobId))
      expect(await claim([other.jobId])).toEqual(idle)
      await firstValueFrom(journey.drive.created(other.jobId, 'P'))
      expect(await claimJob([other.jobId])).toMatchObject({ jobId: job.jobId, status: 'claimed' })
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
      const later = await claimJob([job.jobId])
      expect(names(later)).toEqual(['dev3'])
      await firstValueFrom(drive.ended(job.jobId, 'completed'))
      await firstValueFrom(drive.disowned(job.jobId))
      const inHand = [later.jobId]
      // The later one is about to be created, is, and has no answer.
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(drive.creating(later.jobId))
      expect(await claim(inHand)).toEqual(idle)
      await firstValueFrom(drive.unanswered(later.jobId, 'timeout'))
      expect(await claim(inHand)).toEqual(idle)
      expect(await claimJob()).toMatchObject({ jobId: later.jobId, status: 'unknown' })
      await firstValueFrom(drive.adopted(later.jobId, 'P'))
      expect(await claimJob(inHand)).toMatchObject({ jobId: job.jobId, status: 'unknown' })
    })

    it('sends nothing more beside a create that is looked for again', async () => {
      const { drive } = journey
      const job = await adoptedWithMorePending()
      const later = await claimJob([job.jobId])
      await firstValueFrom(drive.ended(job.jobId, 'completed'))
      await firstValueFrom(drive.disowned(job.jobId))
      // Let go before it was created: now it waits its turn.
      expect(await claimJob()).toMatchObject({ jobId: job.jobId, status: 'unknown' })
      expect(await claim([job.jobId])).toEqual(idle)
      await firstValueFrom(drive.notCreated(job.jobId, 'absent', false))
      expect(await claimJob()).toMatchObject({ jobId: job.jobId, status: 'claimed' })
      await start(job)
      expect(await claimJob([job.jobId])).toMatchObject({ jobId: later.jobId })
    })

    it('gives the first half of a refused batch alone, until it runs', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      await refuse(await claimJob())
      const first = await claimJob()
      expect(names(first)).toEqual(['dev1'])
      expect(await claimJob()).toEqual(first)
      expect(await claim([first.jobId])).toEqual(idle)
      await firstValueFrom(journey.drive.creating(first.jobId))
      expect(await claim([first.jobId])).toEqual(idle)
      await firstValueFrom(journey.drive.unanswered(first.jobId, 'timeout'))
      expect(await claimJob()).toMatchObject({ jobId: first.jobId, status: 'unknown' })
      expect(await claim([first.jobId])).toEqual(idle)
      await firstValueFrom(journey.drive.created(first.jobId, 'P'))
      expect(names(await claimJob([first.jobId]))).toEqual(['dev2'])
    })

    it('halves a batch again and again; a device in both halves is sent by one at a time', async () => {
      await append(
        { requestId: 'r1', devices: ['dev1', 'dev2', 'dev3', 'dev4'] },
        { requestId: 'r2', devices: ['dev1'] },
      )
      const whole = await claimJob()
      await refuse(whole)
      await firstValueFrom(journey.drive.split(whole.jobId, 'done twice is done once'))
      const first = await claimJob()
      expect(first).toMatchObject({ status: 'claimed', refusals: 2, familyRefusals: 2 })
      expect(names(first)).toEqual(['dev1', 'dev2'])
      await firstValueFrom(journey.drive.split(first.jobId, 'refused again'))
      const second = await claimJob()
      expect(second).toMatchObject({ refusals: 2, familyRefusals: 3 })
      expect(names(second)).toEqual(['dev3', 'dev4'])
      await start(second)
      const quarter = await claimJob([second.jobId])
      expect(quarter).toMatchObject({ refusals: 3, familyRefusals: 3 })
      expect(names(quarter)).toEqual(['dev1'])
      expect(await claim([second.jobId, quarter.jobId])).toEqual(idle)
      await finish(quarter)
      const other = await claimJob([second.jobId])
      expect(names(other)).toEqual(['dev2'])
      await start(other)
      // It waited for the quarter that sends the same device.
      expect(names(await claimJob([second.jobId, other.jobId]))).toEqual(['dev1'])
    })
  })
}
