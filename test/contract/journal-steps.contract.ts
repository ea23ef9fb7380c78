import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { LookUp } from '../../src/domain/look-up'
import { LeaseLostError } from '../../src/ports/errors'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, retried, verdicts } from '../support/journal-journey'

/** The steps of a job, whatever keeps the journal. */
export const journalStepsContract = (name: string, journal: JournalUnderTest): void => {
  describe(`journal, steps: ${name}`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, end, finish, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    const claimed = async (...devices: string[]): Promise<Job> => {
      await append({ requestId: 'r1', devices })
      return claimJob()
    }

    it('change nothing when taken again', async () => {
      const { jobId, moves } = await claimed('dev1', 'dev2')
      const first = await firstValueFrom(journey.drive.creating(jobId))
      expect(first.status).toBe('creating')
      expect(first.createStartedAt).not.toBeNull()
      expect(await firstValueFrom(journey.drive.creating(jobId))).toEqual(first)
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.unanswered(jobId, 'timeout'))
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.notCreated(jobId, 'absent', true))
      expect(await claimJob()).toMatchObject({ status: 'claimed', refusals: 1, createStartedAt: null })
      await firstValueFrom(journey.drive.creating(jobId))
      for (const _time of [1, 2])
        expect(await firstValueFrom(journey.drive.created(jobId, 'P'))).toBe('stored')
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.ended(jobId, 'interrupted'))
      const job = await claimJob()
      expect(job).toMatchObject({ status: 'interrupted', moves })
      for (const _time of [1, 2])
        await firstValueFrom(journey.drive.settle(jobId, verdicts(job), 'interrupted'))
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await published()).toHaveLength(2)
    })

    it('throw when they do not fit, naming job and step', async () => {
      const job = await claimed('dev1')
      await expect(firstValueFrom(journey.drive.ended(job.jobId, 'completed'))).rejects.toThrow(
        `job ${job.jobId} is claimed: ended does not fit`,
      )
      await expect(
        firstValueFrom(journey.drive.settle(job.jobId, verdicts(job), 'completed')),
      ).rejects.toThrow('settle')
      await expect(firstValueFrom(journey.drive.creating(999))).rejects.toThrow('there is no job 999')
      await start(job)
      await expect(firstValueFrom(journey.drive.created(job.jobId, 'another'))).rejects.toThrow(
        `P${job.jobId}`,
      )
      await expect(firstValueFrom(journey.drive.split(job.jobId, 'why'))).rejects.toThrow(
        'split does not fit',
      )
    })

    it('keep the last error of a job until that is over', async () => {
      const job = await claimed('dev1')
      const { drive, at } = journey
      await firstValueFrom(drive.creating(job.jobId))
      await firstValueFrom(drive.troubled(job.jobId, 'not running yet'))
      expect(await at.lastError(job.jobId)).toBeNull()
      await firstValueFrom(drive.unanswered(job.jobId, 'timeout'))
      expect(await at.lastError(job.jobId)).toBe('timeout')
      await firstValueFrom(drive.created(job.jobId, 'P'))
      expect(await at.lastError(job.jobId)).toBeNull()
      for (const why of ['not found', 'not found', null, 'not found again']) {
        await firstValueFrom(drive.troubled(job.jobId, why))
        expect(await at.lastError(job.jobId)).toBe(why)
      }
      await firstValueFrom(drive.troubled(job.jobId, null))
      await firstValueFrom(drive.ended(job.jobId, 'completed'))
      await firstValueFrom(drive.troubled(job.jobId, 'no file'))
      expect(await at.lastError(job.jobId)).toBe('no file')
      await firstValueFrom(drive.settle(job.jobId, verdicts(job), 'completed'))
      expect(await at.lastError(job.jobId)).toBeNull()
      await firstValueFrom(drive.troubled(job.jobId, 'late'))
      expect(await at.lastError(job.jobId)).toBeNull()
    })

    it('hold a job whose create is answered with the JobId of another', async () => {
      const first = await claimed('dev1', 'dev2')
      await start(first)
      await append({ requestId: 'r2', devices: ['dev3'] })
      const second = await claimJob([first.jobId])
      await firstValueFrom(journey.drive.creating(second.jobId))
      // Again: the answer of the first commit may have been lost.
      for (const _time of [1, 2])
        expect(await firstValueFrom(journey.drive.created(second.jobId, `P${first.jobId}`))).toBe('clash')
      expect(await claim([first.jobId])).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await journey.at.conservation()).toMatchObject({ held: 1, in_flight: 2 })
      expect(await journey.at.heldReason(second.jobId)).toContain(`JobId P${first.jobId}`)
      await end(first)
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it("let go of an adopted job that was another's, and of what was kept of it", async () => {
      const { jobId, moves } = await claimed('dev1')
      const { drive } = journey
      const lookUp: LookUp = { deviceName: 'dev1', answeredAt: 1, found: null, code: 'iot.x' }
      await firstValueFrom(drive.creating(jobId))
      await firstValueFrom(drive.unanswered(jobId, 'timeout'))
      for (const stranger of ['S1', 'S2']) {
        for (const _time of [1, 2])
          expect(await firstValueFrom(drive.adopted(jobId, stranger))).toBe('stored')
        expect(await claimJob()).toMatchObject({
          status: 'running',
          providerJobId: stranger,
          foundBy: 'list',
        })
        await firstValueFrom(drive.ended(jobId, 'completed'))
        await firstValueFrom(drive.keepLookUps(jobId, [lookUp]))
        await firstValueFrom(drive.keepResultFile(jobId, { body: Buffer.from('{}'), contentType: null }))
        for (const _time of [1, 2]) await firstValueFrom(drive.disowned(jobId))
        expect(await journey.at.evidence(jobId)).toEqual({ files: [], lookUps: [] })
      }
      const job = await claimJob()
      expect(job).toMatchObject({ status: 'unknown', providerJobId: null, foundBy: null, moves })
      expect(job).toMatchObject({ notOurs: ['S1', 'S2'], createStartedAt: expect.any(Number) })
      expect([...(await firstValueFrom(drive.ownJobs(['S1', 'S2'])))]).toEqual([])
      await firstValueFrom(drive.notCreated(jobId, 'absent', false))
      await finish(await claimJob())
      expect(await published()).toMatchObject([{ outcome: 'moved', attempt: 1, jobId: `P${jobId}` }])
    })

    it('hold a job once: not again when an operator has let it go since', async () => {
      const job = await claimed('dev1')
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.hold(job, 'why'))
      expect(await journey.at.heldReason(job.jobId)).toBe('why')
      await journey.at.releaseJob(job.jobId)
      // The answer of the commit was lost, so it is done again.
      await firstValueFrom(journey.drive.hold(job, 'why'))
      expect(await journey.at.heldReason(job.jobId)).toBeNull()
      await firstValueFrom(journey.drive.hold(await claimJob(), 'another time'))
      expect(await journey.at.heldReason(job.jobId)).toBe('another time')
    })

    it('are refused to a holder whose lease was taken', async () => {
      const job = await claimed('dev1')
      const next = journey.at.drive(await journey.at.takeOver())
      await expect(claim()).rejects.toThrow(LeaseLostError)
      await expect(firstValueFrom(journey.drive.creating(job.jobId))).rejects.toThrow(LeaseLostError)
      await expect(firstValueFrom(journey.drive.settle(job.jobId, verdicts(job), 'refused'))).rejects.toThrow(
        LeaseLostError,
      )
      expect(await firstValueFrom(next.claim([]))).toEqual({ kind: 'job', job })
    })

    it('settle a refused batch without a job at the provider', async () => {
      const job = await claimed('dev1', 'dev2')
      await firstValueFrom(journey.drive.creating(job.jobId))
      const failed = verdicts(job, { outcome: 'failed', code: 'iot.refused' })
      await firstValueFrom(journey.drive.settle(job.jobId, failed, 'refused'))
      expect(await published()).toMatchObject([
        { outcome: 'failed', final: true, jobId: null },
        { outcome: 'failed', final: true, jobId: null },
      ])
    })

    it('settle a batch of which nobody knows which job it was', async () => {
      const job = await claimed('dev1', 'dev2')
      await firstValueFrom(journey.drive.creating(job.jobId))
      await firstValueFrom(journey.drive.unanswered(job.jobId, 'timeout'))
      for (const _time of [1, 2])
        await firstValueFrom(journey.drive.settle(job.jobId, verdicts(job), 'completed'))
      expect(await published()).toMatchObject([
        { outcome: 'moved', final: true, jobId: null },
        { outcome: 'moved', final: true, jobId: null },
      ])
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it('want every move settled, once', async () => {
      const job = await claimed('dev1', 'dev2')
      await start(job)
      await firstValueFrom(journey.drive.ended(job.jobId, 'completed'))
      const [one, two] = verdicts(job)
      if (one === undefined || two === undefined) throw new Error('two moves')
      for (const wrong of [[one], [one, one], [one, two, two], [one, { ...two, seq: 99n }]])
        await expect(firstValueFrom(journey.drive.settle(job.jobId, wrong, 'completed'))).rejects.toThrow(
          'verdict',
        )
      expect(await published()).toEqual([])
      expect(await journey.at.conservation()).toMatchObject({ in_flight: 2 })
    })

    it('know their own jobs, and how long they take', async () => {
      expect(await firstValueFrom(journey.drive.meanJobMs())).toBeNull()
      const job = await claimed('dev1')
      await finish(job)
      await firstValueFrom(journey.drive.spent(job.jobId, 2))
      await firstValueFrom(
        journey.drive.keepResultFile(job.jobId, { body: Buffer.from('{}'), contentType: null }),
      )
      const own = await firstValueFrom(journey.drive.ownJobs([`P${job.jobId}`, 'foreign']))
      expect([...own]).toEqual([`P${job.jobId}`])
      expect(await firstValueFrom(journey.drive.meanJobMs())).toBeGreaterThanOrEqual(0)
    })

    it('keep every result file of a job, in the order of reading, the same content once', async () => {
      const { jobId } = await claimed('dev1')
      const keep = (text: string) =>
        firstValueFrom(
          journey.drive.keepResultFile(jobId, { body: Buffer.from(text), contentType: 'text/csv' }),
        )
      expect((await journey.at.evidence(jobId)).files).toEqual([])
      // A crash after the second one has both read again, in the same order.
      for (const text of ['first', 'first', 'second', 'first', 'second', 'third']) await keep(text)
      expect((await journey.at.evidence(jobId)).files).toEqual(['first', 'second', 'third'])
    })

    it('keep what was answered about single devices, the latest time', async () => {
      const { jobId } = await claimed('dev1')
      const lookUp = (deviceName: string, answeredAt: number): LookUp => ({
        deviceName,
        answeredAt,
        found: { instanceId: 'iot-b', cameFrom: null, sentAt: 1_676_297_683_000, changedAt: null },
        code: null,
      })
      expect(await firstValueFrom(journey.drive.keptLookUps(jobId))).toEqual([])
      await firstValueFrom(journey.drive.keepLookUps(jobId, [lookUp('dev1', 1)]))
      const later = [lookUp('dev1', 2), { ...lookUp('dev2', 3), found: null, code: 'iot.x' }]
      await firstValueFrom(journey.drive.keepLookUps(jobId, later))
      expect((await journey.at.evidence(jobId)).lookUps).toEqual(later)
      expect(await firstValueFrom(journey.drive.keptLookUps(jobId))).toEqual(later)
    })

    it('drop look-ups from before a create: they tell nothing of what it does', async () => {
      const { jobId } = await claimed('dev1')
      const { drive } = journey
      const lookUp: LookUp = { deviceName: 'dev1', answeredAt: 1, found: null, code: 'iot.x' }
      await firstValueFrom(drive.creating(jobId))
      await firstValueFrom(drive.unanswered(jobId, 'timeout'))
      await firstValueFrom(drive.keepLookUps(jobId, [lookUp]))
      await firstValueFrom(drive.notCreated(jobId, 'absent', false))
      await firstValueFrom(drive.creating(jobId))
      expect(await firstValueFrom(drive.keptLookUps(jobId))).toEqual([])
      await firstValueFrom(drive.keepLookUps(jobId, [lookUp]))
      await firstValueFrom(drive.creating(jobId))
      expect(await firstValueFrom(drive.keptLookUps(jobId))).toEqual([lookUp])
    })

    it('wake when the next attempt is due', async () => {
      await finish(await claimed('dev1'), { ...retried, retryInMs: 500_000 })
      const idle = await claim()
      if (idle.kind !== 'idle' || idle.wakeInMs === null) throw new Error('should be idle for a while')
      expect(idle.wakeInMs).toBeGreaterThan(400_000)
      expect(idle.wakeInMs).toBeLessThanOrEqual(500_000)
      expect(await journey.at.conservation()).toMatchObject({ retrying: 1 })
    })
  })
}
