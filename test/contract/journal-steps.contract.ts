import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import { LeaseLostError } from '../../src/ports/errors'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, retried, verdicts } from '../support/journal-journey'

/** What every implementation of the journal promises of the steps of a job. */
export const journalStepsContract = (name: string, journal: JournalUnderTest): void => {
  describe(`steps of a job in the journal (${name})`, () => {
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
      const { batchId, moves } = await claimed('dev1', 'dev2')
      const first = await firstValueFrom(journey.drive.creating(batchId))
      expect(first.status).toBe('creating')
      expect(first.createStartedAt).not.toBeNull()
      expect(await firstValueFrom(journey.drive.creating(batchId))).toEqual(first)
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.unanswered(batchId, 'timeout'))
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.notCreated(batchId, 'absent', true))
      expect(await claimJob()).toMatchObject({ status: 'claimed', refusals: 1, createStartedAt: null })
      await firstValueFrom(journey.drive.creating(batchId))
      for (const _time of [1, 2])
        expect(await firstValueFrom(journey.drive.created(batchId, 'P'))).toBe('stored')
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.markEnded(first, 'interrupted'))
      const job = await claimJob()
      expect(job).toMatchObject({ status: 'interrupted', moves })
      for (const _time of [1, 2])
        await firstValueFrom(journey.drive.settle(batchId, verdicts(job), 'interrupted'))
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await published()).toHaveLength(2)
    })

    it('throw when they do not fit, with the names of job and step', async () => {
      const job = await claimed('dev1')
      await expect(firstValueFrom(journey.drive.markEnded(job, 'completed'))).rejects.toThrow(
        `job ${job.batchId} is claimed: markEnded does not fit`,
      )
      await expect(
        firstValueFrom(journey.drive.settle(job.batchId, verdicts(job), 'completed')),
      ).rejects.toThrow('settle')
      await expect(firstValueFrom(journey.drive.creating(999))).rejects.toThrow('there is no job 999')
      await start(job)
      await expect(firstValueFrom(journey.drive.created(job.batchId, 'another'))).rejects.toThrow(
        `P${job.batchId}`,
      )
      await expect(firstValueFrom(journey.drive.split(job.batchId, 'why'))).rejects.toThrow(
        'split does not fit',
      )
    })

    it('keep the last error of a job until that is over', async () => {
      const job = await claimed('dev1')
      const { drive, at } = journey
      await firstValueFrom(drive.creating(job.batchId))
      await firstValueFrom(drive.setLastError(job.batchId, 'not running yet'))
      expect(await at.lastError(job.batchId)).toBeNull()
      await firstValueFrom(drive.unanswered(job.batchId, 'timeout'))
      expect(await at.lastError(job.batchId)).toBe('timeout')
      await firstValueFrom(drive.created(job.batchId, 'P'))
      expect(await at.lastError(job.batchId)).toBeNull()
      for (const why of ['not found', 'not found', null, 'not found again']) {
        await firstValueFrom(drive.setLastError(job.batchId, why))
        expect(await at.lastError(job.batchId)).toBe(why)
      }
      await firstValueFrom(drive.setLastError(job.batchId, null))
      await firstValueFrom(drive.markEnded(job, 'completed'))
      await firstValueFrom(drive.setLastError(job.batchId, 'no file'))
      expect(await at.lastError(job.batchId)).toBe('no file')
      await firstValueFrom(drive.settle(job.batchId, verdicts(job), 'completed'))
      expect(await at.lastError(job.batchId)).toBeNull()
      await firstValueFrom(drive.setLastError(job.batchId, 'late'))
      expect(await at.lastError(job.batchId)).toBeNull()
    })

    it('hold a job whose create is answered with the JobId of another', async () => {
      const first = await claimed('dev1', 'dev2')
      await start(first)
      await append({ requestId: 'r2', devices: ['dev3'] })
      const second = await claimJob([first.batchId])
      await firstValueFrom(journey.drive.creating(second.batchId))
      // The step is taken again, because the answer of the first commit may have been lost.
      for (const _time of [1, 2])
        expect(await firstValueFrom(journey.drive.created(second.batchId, `P${first.batchId}`))).toBe('clash')
      expect(await claim([first.batchId])).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await journey.at.conservation()).toMatchObject({ held: 1, in_flight: 2 })
      expect(await journey.at.heldReason(second.batchId)).toContain(`JobId P${first.batchId}`)
      await end(first)
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it("let go of an adopted job that was another's, and of what was kept of it", async () => {
      const { batchId, moves } = await claimed('dev1')
      const { drive } = journey
      await firstValueFrom(drive.creating(batchId))
      await firstValueFrom(drive.unanswered(batchId, 'timeout'))
      for (const stranger of ['S1', 'S2']) {
        for (const _time of [1, 2])
          expect(await firstValueFrom(drive.adopted(batchId, stranger))).toBe('stored')
        expect(await claimJob()).toMatchObject({
          status: 'running',
          providerJobId: stranger,
          foundBy: 'list',
        })
        await firstValueFrom(drive.markEnded({ batchId, releases: 0 }, 'completed'))
        await firstValueFrom(drive.keepResultFile(batchId, { body: Buffer.from('{}'), contentType: null }))
        for (const _time of [1, 2]) await firstValueFrom(drive.unadopted(batchId))
        expect(await journey.at.evidence(batchId)).toEqual({ files: [], lookUps: [] })
      }
      const job = await claimJob()
      expect(job).toMatchObject({ status: 'unknown', providerJobId: null, foundBy: null, moves })
      expect(job).toMatchObject({ notOurs: ['S1', 'S2'], createStartedAt: expect.any(Number) })
      expect([...(await firstValueFrom(drive.ownJobs(['S1', 'S2'])))]).toEqual([])
      await firstValueFrom(drive.notCreated(batchId, 'absent', false))
      await finish(await claimJob())
      expect(await published()).toMatchObject([{ outcome: 'moved', attempt: 1, jobId: `P${batchId}` }])
    })

    it('hold a job once, and not again when an operator has released it since', async () => {
      const job = await claimed('dev1')
      for (const _time of [1, 2]) await firstValueFrom(journey.drive.hold(job, 'why'))
      expect(await journey.at.heldReason(job.batchId)).toBe('why')
      await journey.at.releaseJob(job.batchId)
      // The step is taken again as if the answer of its commit were lost.
      await firstValueFrom(journey.drive.hold(job, 'why'))
      expect(await journey.at.heldReason(job.batchId)).toBeNull()
      await firstValueFrom(journey.drive.hold(await claimJob(), 'another time'))
      expect(await journey.at.heldReason(job.batchId)).toBe('another time')
    })

    it('are refused to a holder whose lease was taken', async () => {
      const job = await claimed('dev1')
      const next = journey.at.drive(await journey.at.takeOver())
      await expect(claim()).rejects.toThrow(LeaseLostError)
      await expect(firstValueFrom(journey.drive.creating(job.batchId))).rejects.toThrow(LeaseLostError)
      await expect(
        firstValueFrom(journey.drive.settle(job.batchId, verdicts(job), 'refused')),
      ).rejects.toThrow(LeaseLostError)
      expect(await firstValueFrom(next.claim([]))).toEqual({ kind: 'job', job })
    })

    it('settle a refused batch without a job at the provider', async () => {
      const job = await claimed('dev1', 'dev2')
      await firstValueFrom(journey.drive.creating(job.batchId))
      const failed = verdicts(job, { outcome: 'failed', code: 'iot.refused' })
      await firstValueFrom(journey.drive.settle(job.batchId, failed, 'refused'))
      expect(await published()).toMatchObject([
        { outcome: 'failed', final: true, jobId: null },
        { outcome: 'failed', final: true, jobId: null },
      ])
    })

    it('settle a batch whose job is not known', async () => {
      const job = await claimed('dev1', 'dev2')
      await firstValueFrom(journey.drive.creating(job.batchId))
      await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
      for (const _time of [1, 2])
        await firstValueFrom(journey.drive.settle(job.batchId, verdicts(job), 'completed'))
      expect(await published()).toMatchObject([
        { outcome: 'moved', final: true, jobId: null },
        { outcome: 'moved', final: true, jobId: null },
      ])
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    })

    it('settle a job only when every move has one outcome', async () => {
      const job = await claimed('dev1', 'dev2')
      await start(job)
      await firstValueFrom(journey.drive.markEnded(job, 'completed'))
      const [one, two] = verdicts(job)
      if (one === undefined || two === undefined) throw new Error('two moves')
      for (const wrong of [[one], [one, one], [one, two, two], [one, { ...two, seq: 99n }]])
        await expect(firstValueFrom(journey.drive.settle(job.batchId, wrong, 'completed'))).rejects.toThrow(
          'verdict',
        )
      expect(await published()).toEqual([])
      expect(await journey.at.conservation()).toMatchObject({ in_flight: 2 })
    })

    it('know their own jobs, and how long they take', async () => {
      expect(await firstValueFrom(journey.drive.meanJobMs())).toBeNull()
      const job = await claimed('dev1')
      await finish(job)
      await firstValueFrom(journey.drive.addCalls(job.batchId, 2))
      await firstValueFrom(
        journey.drive.keepResultFile(job.batchId, { body: Buffer.from('{}'), contentType: null }),
      )
      const own = await firstValueFrom(journey.drive.ownJobs([`P${job.batchId}`, 'foreign']))
      expect([...own]).toEqual([`P${job.batchId}`])
      expect(await firstValueFrom(journey.drive.meanJobMs())).toBeGreaterThanOrEqual(0)
    })

    it('keep every result file of a job, in the order of reading, the same content once', async () => {
      const { batchId } = await claimed('dev1')
      const keep = (text: string) =>
        firstValueFrom(
          journey.drive.keepResultFile(batchId, { body: Buffer.from(text), contentType: 'text/csv' }),
        )
      expect((await journey.at.evidence(batchId)).files).toEqual([])
      // After a crash behind the second one, both are read again in the same order.
      for (const text of ['first', 'first', 'second', 'first', 'second', 'third']) await keep(text)
      expect((await journey.at.evidence(batchId)).files).toEqual(['first', 'second', 'third'])
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
