import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Outcome, Verdict } from '../../src/domain/outcome'
import { type Claim, type DriveJournal, LeaseLostError } from '../../src/ports'
import type { HarnessOptions, JournalHarness, JournalUnderTest } from '../support/journal-harness'
import { chunkOf, type RequestSpec, requestedAt, routeTo } from '../support/journal-requests'

const all: HarnessOptions = { batchMaxDevices: 100, batchMaxWaitMs: 0 }

const verdicts = (job: Job, more: Partial<Verdict> = {}): Verdict[] =>
  job.moves.map(({ seq }) => ({
    seq,
    outcome: 'moved',
    final: true,
    code: '200',
    message: null,
    retryInMs: null,
    ...more,
  }))

const retried: Partial<Verdict> = {
  outcome: 'failed',
  final: false,
  code: '9500',
  message: 'busy',
  retryInMs: 0,
}

/** What IntakeJournal, DriveJournal and Outbox promise together, whatever keeps them. */
export const journalContract = (name: string, journal: JournalUnderTest): void => {
  describe(`journal: ${name}`, () => {
    let at: JournalHarness
    let drive: DriveJournal
    let offset: bigint

    const open = async (options: HarnessOptions): Promise<void> => {
      at = await journal.open(options)
      drive = at.drive()
      offset = 0n
    }
    const append = async (...requests: readonly RequestSpec[]) => {
      const chunk = chunkOf(offset, requests)
      offset = chunk.nextOffset
      return firstValueFrom(at.intake.append(chunk))
    }
    const claim = (inHand: readonly number[] = []): Promise<Claim> => firstValueFrom(drive.claim(inHand))
    const claimJob = async (inHand: readonly number[] = []): Promise<Job> => {
      const claimed = await claim(inHand)
      if (claimed.kind !== 'job') throw new Error(`nothing to claim, wake in ${claimed.wakeInMs}`)
      return claimed.job
    }
    const start = async (job: Job): Promise<void> => {
      await firstValueFrom(drive.creating(job.jobId))
      await firstValueFrom(drive.created(job.jobId, `P${job.jobId}`))
    }
    const finish = async (job: Job, more: Partial<Verdict> = {}): Promise<void> => {
      await start(job)
      await firstValueFrom(drive.ended(job.jobId, 'completed'))
      await firstValueFrom(drive.settle(job.jobId, verdicts(job, more), 'completed'))
    }
    const names = (job: Job): string[] => job.moves.map(move => move.deviceName)
    const published = async (): Promise<readonly Outcome[]> =>
      (await firstValueFrom(at.outbox.next(0n, 10_000)))?.outcomes ?? []

    beforeEach(() => open(all))
    afterEach(async () => {
      const counted = await at.conservation()
      expect(counted.gap).toBe(0)
      expect(await at.recount()).toEqual(counted)
    })
    afterAll(() => journal.close())

    describe('intake', () => {
      it('appends each record once, however often it is offered', async () => {
        const chunk = chunkOf(5n, [{ requestId: 'r1', devices: ['dev1', 'dev2'] }], [{}])
        expect(await firstValueFrom(at.intake.append(chunk))).toEqual({ moves: 2, rejections: 1 })
        expect(await firstValueFrom(at.intake.append(chunk))).toEqual({ moves: 0, rejections: 0 })
        const longer = chunkOf(5n, [
          { requestId: 'r1', devices: ['dev1', 'dev2'] },
          { requestId: 'r2', devices: ['dev3'] },
          { requestId: 'r3', devices: ['dev4'] },
        ])
        expect(await firstValueFrom(at.intake.append(longer))).toEqual({ moves: 1, rejections: 0 })
        expect(names(await claimJob())).toEqual(['dev1', 'dev2', 'dev4'])
      })

      it('gives the next offset of each partition it has seen', async () => {
        await firstValueFrom(at.intake.append(chunkOf(7n, [{ requestId: 'r1', devices: ['dev1'] }], [], 3)))
        const positions = await firstValueFrom(at.intake.positions('cluster', 'requests', [2, 3]))
        expect([...positions]).toEqual([[3, 8n]])
        expect((await firstValueFrom(at.intake.positions('other', 'requests', [3]))).size).toBe(0)
      })

      it('counts the repeat of a rejection, and publishes it once', async () => {
        const bad = { requestId: 'r1', productKey: 'p', deviceName: 'x' }
        await firstValueFrom(at.intake.append(chunkOf(0n, [], [bad, bad])))
        await firstValueFrom(at.intake.append(chunkOf(2n, [], [bad])))
        expect(await at.conservation()).toMatchObject({ accepted: 3, rejected: 1, duplicate: 2 })
        const [outcome, ...more] = await published()
        expect(more).toEqual([])
        expect(outcome).toMatchObject({
          id: 'requests/0/0/#0',
          requestId: 'r1',
          outcome: 'rejected',
          final: true,
          code: 'invalid_json',
          route: null,
          originalSize: 3,
          requestedAt,
        })
        expect([...(outcome?.deadLetter ?? [])]).toEqual([0, 255, 1])
      })

      it('keeps any printable text', async () => {
        const requestId = 'ä"{},\\ \u{1F600} NULL'
        const route = routeTo('iot-"t", {x}\\')
        await append({ requestId, route, devices: ['a.b:c@d'] })
        const job = await claimJob()
        expect(job.route).toEqual(route)
        await finish(job, { code: '{"', message: 'no, "not" \\ that' })
        expect(await published()).toMatchObject([
          { requestId, code: '{"', message: 'no, "not" \\ that', route },
        ])
      })
    })

    describe('claim', () => {
      it('is idle for ever when there is nothing', async () => {
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      })

      it('waits for a fuller batch, but not longer than agreed', async () => {
        await open({ batchMaxDevices: 2, batchMaxWaitMs: 600_000 })
        await append({ requestId: 'r1', devices: ['dev1'] })
        const idle = await claim()
        if (idle.kind !== 'idle' || idle.wakeInMs === null) throw new Error('should be idle for a while')
        expect(idle.wakeInMs).toBeGreaterThan(500_000)
        expect(idle.wakeInMs).toBeLessThanOrEqual(600_000)
        await append({ requestId: 'r2', devices: ['dev2', 'dev3'] })
        expect(names(await claimJob())).toEqual(['dev1', 'dev2'])
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
        expect(await claim([job.jobId])).toEqual({ kind: 'idle', wakeInMs: null })
        await start(job)
        expect(await claimJob()).toMatchObject({
          jobId: job.jobId,
          status: 'running',
          providerJobId: `P${job.jobId}`,
        })
      })

      it('takes urgent routes first, and none that is held or has an unanswered create', async () => {
        await append(
          { requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] },
          { requestId: 'r2', route: routeTo('iot-2', { priority: 'urgent' }), devices: ['dev2'] },
        )
        const urgent = await claimJob()
        expect(names(urgent)).toEqual(['dev2'])
        await firstValueFrom(drive.creating(urgent.jobId))
        await append({ requestId: 'r3', route: urgent.route, devices: ['dev3'] })
        const normal = await claimJob([urgent.jobId])
        expect(names(normal)).toEqual(['dev1'])
        const inHand = [urgent.jobId, normal.jobId]
        expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
        await firstValueFrom(drive.unanswered(urgent.jobId, 'timeout'))
        expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
        await firstValueFrom(drive.created(urgent.jobId, 'P'))
        await at.holdRoute(urgent.routeId, true)
        expect(await claim(inHand)).toEqual({ kind: 'idle', wakeInMs: null })
        expect(await at.conservation()).toMatchObject({ held: 1, in_flight: 2 })
        await at.holdRoute(urgent.routeId, false)
        expect(names(await claimJob(inHand))).toEqual(['dev3'])
      })

      it('sends a repeat of a request once', async () => {
        await append({ requestId: 'r1', devices: ['dev1'] }, { requestId: 'r1', devices: ['dev1', 'dev2'] })
        const job = await claimJob()
        expect(names(job)).toEqual(['dev1', 'dev2'])
        await finish(job)
        await append({ requestId: 'r1', route: routeTo('iot-else'), devices: ['dev1'] })
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
        expect(await at.conservation()).toMatchObject({ accepted: 4, moved: 2, duplicate: 2 })
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
        const first = await claimJob([urgent.jobId])
        expect(names(first)).toEqual(['dev1'])
        expect(await claim([urgent.jobId, first.jobId])).toEqual({ kind: 'idle', wakeInMs: null })
        await finish(first, retried)
        // Released, it finds the earlier one still unfinished.
        const again = await claimJob([urgent.jobId])
        expect(again).toMatchObject({ routeId: first.routeId, moves: [{ deviceName: 'dev1', attempt: 2 }] })
        await finish(again)
        const last = await claimJob([urgent.jobId])
        expect(last).toMatchObject({ routeId: urgent.routeId, moves: [{ deviceName: 'dev1', attempt: 1 }] })
        await finish(last)
        await finish(urgent)
        const outcomes = (await published()).filter(({ deviceName }) => deviceName === 'dev1')
        expect(outcomes.map(({ requestId, final, attempt }) => [requestId, final, attempt])).toEqual([
          ['r1', false, 1],
          ['r1', true, 2],
          ['r2', true, 1],
        ])
      })

      it('does not confuse devices of different products', async () => {
        const other = routeTo('iot-1', { productKey: 'a1Other', priority: 'urgent' })
        await append(
          { requestId: 'r1', devices: ['dev1'] },
          { requestId: 'r1', route: other, devices: ['dev1'] },
        )
        const first = await claimJob()
        expect(names(first)).toEqual(['dev1'])
        expect(names(await claimJob([first.jobId]))).toEqual(['dev1'])
      })
    })

    describe('steps', () => {
      const claimed = async (...devices: string[]): Promise<Job> => {
        await append({ requestId: 'r1', devices })
        return claimJob()
      }

      it('change nothing when taken again', async () => {
        const { jobId, moves } = await claimed('dev1', 'dev2')
        const first = await firstValueFrom(drive.creating(jobId))
        expect(first.status).toBe('creating')
        expect(first.createStartedAt).not.toBeNull()
        expect(await firstValueFrom(drive.creating(jobId))).toEqual(first)
        for (const _time of [1, 2]) await firstValueFrom(drive.unanswered(jobId, 'timeout'))
        for (const _time of [1, 2]) await firstValueFrom(drive.notCreated(jobId, 'absent', true))
        expect(await claimJob()).toMatchObject({ status: 'claimed', refusals: 1, createStartedAt: null })
        await firstValueFrom(drive.creating(jobId))
        for (const _time of [1, 2]) await firstValueFrom(drive.created(jobId, 'P'))
        for (const _time of [1, 2]) await firstValueFrom(drive.ended(jobId, 'interrupted'))
        const job = await claimJob()
        expect(job).toMatchObject({ status: 'interrupted', moves })
        for (const _time of [1, 2]) await firstValueFrom(drive.settle(jobId, verdicts(job), 'interrupted'))
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
        expect(await published()).toHaveLength(2)
      })

      it('throw when they do not fit, naming job and step', async () => {
        const job = await claimed('dev1')
        await expect(firstValueFrom(drive.ended(job.jobId, 'completed'))).rejects.toThrow(
          `job ${job.jobId} is claimed: ended does not fit`,
        )
        await expect(firstValueFrom(drive.settle(job.jobId, verdicts(job), 'completed'))).rejects.toThrow(
          'settle',
        )
        await expect(firstValueFrom(drive.creating(999))).rejects.toThrow('there is no job 999')
        await start(job)
        await expect(firstValueFrom(drive.created(job.jobId, 'another'))).rejects.toThrow(`P${job.jobId}`)
        await expect(firstValueFrom(drive.split(job.jobId, 'why'))).rejects.toThrow('split does not fit')
      })

      it('are refused to a holder whose lease was taken', async () => {
        const job = await claimed('dev1')
        const next = at.drive(await at.takeOver())
        await expect(claim()).rejects.toThrow(LeaseLostError)
        await expect(firstValueFrom(drive.creating(job.jobId))).rejects.toThrow(LeaseLostError)
        await expect(firstValueFrom(drive.settle(job.jobId, verdicts(job), 'refused'))).rejects.toThrow(
          LeaseLostError,
        )
        expect(await firstValueFrom(next.claim([]))).toEqual({ kind: 'job', job })
      })

      it('settle a refused batch without a job at the provider', async () => {
        const job = await claimed('dev1', 'dev2')
        await firstValueFrom(drive.creating(job.jobId))
        const failed = verdicts(job, { outcome: 'failed', code: 'iot.refused' })
        await firstValueFrom(drive.settle(job.jobId, failed, 'refused'))
        expect(await published()).toMatchObject([
          { outcome: 'failed', final: true, jobId: null },
          { outcome: 'failed', final: true, jobId: null },
        ])
      })

      it('want every move settled, once', async () => {
        const job = await claimed('dev1', 'dev2')
        await start(job)
        await firstValueFrom(drive.ended(job.jobId, 'completed'))
        const [one, two] = verdicts(job)
        if (one === undefined || two === undefined) throw new Error('two moves')
        for (const wrong of [[one], [one, one], [one, two, two], [one, { ...two, seq: 99n }]])
          await expect(firstValueFrom(drive.settle(job.jobId, wrong, 'completed'))).rejects.toThrow('verdict')
        expect(await published()).toEqual([])
        expect(await at.conservation()).toMatchObject({ in_flight: 2 })
      })

      it('hold a job and let the others go on', async () => {
        const job = await claimed('dev1')
        await firstValueFrom(drive.hold(job.jobId, 'unreadable'))
        expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
        expect(await at.conservation()).toMatchObject({ held: 1, in_flight: 0 })
        await append({ requestId: 'r2', devices: ['dev2'] })
        expect(names(await claimJob())).toEqual(['dev2'])
      })

      it('halve a refused batch; a device in both halves is sent by one at a time', async () => {
        await append(
          { requestId: 'r1', devices: ['dev1', 'dev2', 'dev3', 'dev4'] },
          { requestId: 'r2', devices: ['dev1'] },
        )
        const whole = await claimJob()
        await firstValueFrom(drive.creating(whole.jobId))
        await firstValueFrom(drive.notCreated(whole.jobId, 'refused', true))
        for (const _time of [1, 2]) await firstValueFrom(drive.split(whole.jobId, 'refused again'))
        const first = await claimJob()
        const second = await claimJob([first.jobId])
        expect([names(first), names(second)]).toEqual([
          ['dev1', 'dev2'],
          ['dev3', 'dev4'],
        ])
        expect(first).toMatchObject({ status: 'claimed', refusals: 2, familyRefusals: 2 })
        await firstValueFrom(drive.split(first.jobId, 'and again'))
        expect(await claimJob([first.jobId])).toMatchObject({ refusals: 2, familyRefusals: 3 })
        const quarter = await claimJob([second.jobId])
        expect(quarter).toMatchObject({ refusals: 3, familyRefusals: 3 })
        await finish(quarter)
        const other = await claimJob([second.jobId])
        expect([names(quarter), names(other)]).toEqual([['dev1'], ['dev2']])
        expect(names(await claimJob([second.jobId, other.jobId]))).toEqual(['dev1'])
      })

      it('know their own jobs, and how long they take', async () => {
        expect(await firstValueFrom(drive.meanJobMs())).toBeNull()
        const job = await claimed('dev1')
        await finish(job)
        await firstValueFrom(drive.spent(job.jobId, 2))
        await firstValueFrom(drive.keepResultFile(job.jobId, { body: Buffer.from('{}'), contentType: null }))
        const own = await firstValueFrom(drive.ownJobs([`P${job.jobId}`, 'foreign']))
        expect([...own]).toEqual([`P${job.jobId}`])
        expect(await firstValueFrom(drive.meanJobMs())).toBeGreaterThanOrEqual(0)
      })

      it('wake when the next attempt is due', async () => {
        await finish(await claimed('dev1'), { ...retried, retryInMs: 500_000 })
        const idle = await claim()
        if (idle.kind !== 'idle' || idle.wakeInMs === null) throw new Error('should be idle for a while')
        expect(idle.wakeInMs).toBeGreaterThan(400_000)
        expect(idle.wakeInMs).toBeLessThanOrEqual(500_000)
        expect(await at.conservation()).toMatchObject({ retrying: 1 })
      })
    })

    describe('outbox', () => {
      it('gives whole rows in order, small ones together', async () => {
        expect(await firstValueFrom(at.outbox.next(0n, 10))).toBeNull()
        for (const devices of [['dev1', 'dev2'], ['dev3'], ['dev4', 'dev5', 'dev6']]) {
          await append({ requestId: `of ${devices[0]}`, devices })
          await finish(await claimJob())
        }
        const idsAfter = async (position: bigint, max: number) => {
          const chunk = await firstValueFrom(at.outbox.next(position, max))
          return chunk && [chunk.lastId, chunk.outcomes.map(({ deviceName }) => deviceName)]
        }
        expect(await idsAfter(0n, 3)).toEqual([2n, ['dev1', 'dev2', 'dev3']])
        expect(await idsAfter(0n, 4)).toEqual([2n, ['dev1', 'dev2', 'dev3']])
        expect(await idsAfter(2n, 1)).toEqual([3n, ['dev4', 'dev5', 'dev6']])
        expect(await idsAfter(3n, 1)).toBeNull()
        const [outcome] = await published()
        expect(outcome).toMatchObject({
          id: 'requests/0/0/dev1/1',
          jobId: 'P1',
          outcome: 'moved',
          source: { topic: 'requests', partition: 0, offset: 0n },
          requestedAt,
          attempt: 1,
          deadLetter: null,
        })
      })

      it('remembers how far each publisher came, and never goes back', async () => {
        await append({ requestId: 'r1', devices: ['dev1'] })
        await finish(await claimJob())
        expect(await firstValueFrom(at.outbox.position('p'))).toEqual({ published: 0n, end: 1n })
        await firstValueFrom(at.outbox.published('p', 1n))
        await firstValueFrom(at.outbox.published('p', 0n))
        expect(await firstValueFrom(at.outbox.position('p'))).toEqual({ published: 1n, end: 1n })
        expect(await firstValueFrom(at.outbox.next(0n, 10))).toBeNull()
      })
    })
  })
}
