import { firstValueFrom } from 'rxjs'
import type { DeviceResult } from '../../src/domain/device-results'
import type { ForgottenJob } from '../../src/domain/forgotten'
import type { Outcome } from '../../src/domain/outcome'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { recordedAt, routeTo } from '../support/journal-requests'

const route = routeTo('iot-target')
const minute = 60_000

/** A listed job that no batch has, created `minutes` after the requests. */
const strange = (providerJobId: string, more: Partial<ForgottenJob> = {}, minutes = 1): ForgottenJob => ({
  providerJobId,
  productKey: route.productKey,
  sourceInstanceId: route.sourceInstanceId,
  strategy: route.strategy,
  targetInstanceIds: route.targetInstanceIds,
  targetUid: null,
  total: 1,
  status: 2,
  createdAt: recordedAt.getTime() + minutes * minute,
  ...more,
})

const moved: DeviceResult = { code: '200', message: null }
const busy: DeviceResult = { code: '9500', message: 'busy' }
const gone: DeviceResult = { code: 'iot.device.NotExistedDevice', message: 'gone' }

const rowsOf = (rows: Record<string, DeviceResult>): ReadonlyMap<string, DeviceResult> =>
  new Map(Object.entries(rows))

/** What a restored database makes of jobs that were created after the copy was taken. */
export const journalForgottenContract = (name: string, journal: JournalUnderTest): void => {
  describe(`the journal, after a restore was accepted (${name}),`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, finish, published } = journey
    const waiting = { kind: 'idle', wakeInMs: null, forgotten: true }
    const again = { kind: 'idle', wakeInMs: 0 }

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    const ask = () => firstValueFrom(journey.drive.forgotten())
    const list = async (...jobs: readonly ForgottenJob[]): Promise<number> => {
      const { unlisted } = await ask()
      return firstValueFrom(journey.drive.keepListed(unlisted?.restoreId ?? 0, jobs))
    }
    const read = (job: ForgottenJob, rows: Record<string, DeviceResult>): Promise<void> =>
      firstValueFrom(journey.drive.keepForgotten(job, rowsOf(rows)))
    const restored = async (...jobs: readonly ForgottenJob[]): Promise<void> => {
      await journey.at.acceptRestore()
      await list(...jobs)
    }
    const ended = async (): Promise<readonly Partial<Outcome>[]> =>
      (await published()).map(({ deviceName, attempt, outcome, final, code, jobId }) => ({
        deviceName,
        attempt,
        outcome,
        final,
        code,
        jobId,
      }))
    const movedBy = (jobId: string, deviceName: string, attempt = 1) => ({
      deviceName,
      attempt,
      outcome: 'moved',
      final: true,
      code: '200',
      jobId,
    })

    it('sends nothing before the jobs of the provider are listed, and says so', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const bound = await claimJob()
      await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['dev2'] })
      await journey.at.acceptRestore()
      expect(await claim()).toEqual(waiting)
      expect((await ask()).unlisted).toMatchObject({ knownAt: null })
      expect(await list()).toBe(0)
      expect((await ask()).unlisted).toBeNull()
      expect(await claim()).toEqual({ kind: 'job', job: bound })
      expect(names(await claimJob([bound.batchId]))).toEqual(['dev2'])
    })

    it('goes on with running jobs meanwhile', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const job = await claimJob()
      await journey.start(job)
      await journey.at.acceptRestore()
      expect(await claim()).toMatchObject({ kind: 'job', job: { status: 'running' }, forgotten: true })
    })

    it('does not take a restore for listed that was accepted after the list was begun', async () => {
      await journey.at.acceptRestore()
      const { unlisted } = await ask()
      await journey.at.acceptRestore()
      await firstValueFrom(journey.drive.keepListed(unlisted?.restoreId ?? 0, []))
      expect((await ask()).unlisted).not.toBeNull()
    })

    it('keeps only jobs that are not ours, and each once', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const job = await claimJob()
      await finish(job)
      await journey.at.acceptRestore()
      expect(await list(strange(`P${job.batchId}`), strange('A'))).toBe(1)
      await journey.at.acceptRestore()
      expect(await list(strange('A'), strange('B'))).toBe(1)
      expect((await ask()).jobs).toEqual([strange('A'), strange('B')])
    })

    it('claims no route that looks like an open one, and goes on with others', async () => {
      await append(
        { requestId: 'r1', devices: ['dev1'] },
        { requestId: 'r2', route: { ...route, priority: 'urgent' }, devices: ['dev2'] },
      )
      await append({ requestId: 'r3', route: routeTo('iot-2'), devices: ['dev3'] })
      const a = strange('A')
      await restored(a, strange('Hidden', { productKey: 'a1Other', targetInstanceIds: [] }))
      const other = await claim()
      expect(other).toMatchObject({ kind: 'job', forgotten: true })
      expect(other.kind === 'job' && names(other.job)).toEqual(['dev3'])
      const inHand = other.kind === 'job' ? [other.job.batchId] : []
      expect(await claim(inHand)).toEqual(waiting)
      expect((await ask()).jobs).toEqual([a])
      await read(a, {})
      expect(names(await claimJob(inHand))).toEqual(['dev2'])
    })

    it('takes targets that List does not show for those of the route', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      await restored(strange('A', { targetInstanceIds: [] }))
      expect(await claim()).toEqual(waiting)
    })

    it('settles what a job tells, sends the others, and publishes the JobId', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2', 'dev3', 'dev4'] })
      const [a, b] = [strange('A'), strange('B', {}, 2)]
      await restored(a, b)
      await read(a, { dev1: moved, dev3: gone, elsewhere: moved })
      await read(b, { dev4: moved })
      expect(await claim()).toEqual(again)
      expect(await ended()).toEqual([
        movedBy('A', 'dev1'),
        { deviceName: 'dev3', attempt: 1, outcome: 'failed', final: true, code: gone.code, jobId: 'A' },
        movedBy('B', 'dev4'),
      ])
      expect(names(await claimJob())).toEqual(['dev2'])
    })

    it('tells each attempt of a move by the next job, and sends the attempt after the last', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const [a, b] = [strange('A'), strange('B', {}, 2)]
      await restored(b, a)
      await read(b, { dev1: moved })
      await read(a, { dev1: busy, dev2: busy })
      expect(await claim()).toEqual(again)
      expect(await claim()).toEqual(again)
      expect(await ended()).toEqual([
        { deviceName: 'dev1', attempt: 1, outcome: 'failed', final: false, code: '9500', jobId: 'A' },
        { deviceName: 'dev2', attempt: 1, outcome: 'failed', final: false, code: '9500', jobId: 'A' },
        movedBy('B', 'dev1', 2),
      ])
      expect((await claimJob()).moves).toMatchObject([{ deviceName: 'dev2', attempt: 2 }])
    })

    it('gives up a told move after its last attempt', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const jobs = [1, 2, 3, 4, 5, 6].map(minutes => strange(`J${minutes}`, {}, minutes))
      await restored(...jobs)
      for (const job of jobs) await read(job, { dev1: busy })
      for (let attempt = 1; attempt <= 5; attempt += 1) await claim()
      expect((await ended()).at(-1)).toMatchObject({ attempt: 5, final: true, jobId: 'J5' })
    })

    it('sends a request that was made after the job', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const a = strange('A', {}, -1)
      await restored(a)
      await read(a, { dev1: moved })
      expect(names(await claimJob())).toEqual(['dev1'])
    })

    it('carries out a device that went there and back in order', async () => {
      const back = routeTo('iot-source', { sourceInstanceId: 'iot-target' })
      await append(
        { requestId: 'there', devices: ['dev1'] },
        { requestId: 'back', route: back, devices: ['dev1'] },
        { requestId: 'there again', devices: ['dev1'] },
      )
      const a = strange('A')
      const b = strange('B', { sourceInstanceId: 'iot-target', targetInstanceIds: ['iot-source'] }, 2)
      await restored(a, b)
      await read(a, { dev1: moved })
      await read(b, { dev1: moved })
      for (let round = 0; round < 4; round += 1) {
        const claimed = await claim()
        if (claimed.kind === 'job') {
          expect(await ended()).toEqual([movedBy('A', 'dev1'), movedBy('B', 'dev1')])
          expect(claimed.job.route).toEqual(route)
          return
        }
      }
      throw new Error('the third request was not sent')
    })

    it('tells every request of a device that was sent together', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] }, { requestId: 'r2', devices: ['dev1'] })
      const a = strange('A')
      await restored(a)
      await read(a, { dev1: moved })
      await claim()
      expect(await ended()).toEqual([movedBy('A', 'dev1'), movedBy('A', 'dev1')])
    })

    it('gives a batch from before the restore back, whose devices a job may have', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const bound = await claimJob()
      const a = strange('A')
      await restored(a)
      expect(await claim()).toEqual(waiting)
      await read(a, { dev2: moved })
      await claim()
      expect(await ended()).toEqual([movedBy('A', 'dev2')])
      const fresh = await claimJob()
      expect(names(fresh)).toEqual(['dev1'])
      expect(fresh.batchId).not.toBe(bound.batchId)
    })

    it('gives the halves of such a batch back too', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const bound = await claimJob()
      await firstValueFrom(journey.drive.creating(bound.batchId))
      await firstValueFrom(journey.drive.unanswered(bound.batchId, 'no answer'))
      const a = strange('A')
      await restored(a)
      await firstValueFrom(journey.drive.split(bound.batchId, 'refused'))
      await read(a, { dev2: moved })
      await claim()
      await claim()
      expect(await ended()).toEqual([movedBy('A', 'dev2')])
      expect(names(await claimJob())).toEqual(['dev1'])
    })

    it('leaves a job to the batch that has adopted it', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const bound = await claimJob()
      await firstValueFrom(journey.drive.creating(bound.batchId))
      await firstValueFrom(journey.drive.unanswered(bound.batchId, 'no answer'))
      await restored(strange('A'))
      expect((await ask()).jobs).toHaveLength(1)
      await firstValueFrom(journey.drive.adopted(bound.batchId, 'A'))
      expect((await ask()).jobs).toEqual([])
      await journey.end(bound)
      await append({ requestId: 'r2', devices: ['dev2'] })
      expect((await ask()).jobs).toEqual([])
      expect(names(await claimJob())).toEqual(['dev2'])
    })

    it('keeps look-alike routes waiting for a job that is held, and does not ask for it again', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      const a = strange('A')
      await restored(a)
      await firstValueFrom(journey.drive.holdForgotten(a, rowsOf({ dev1: moved }), 'it has no file'))
      expect((await ask()).jobs).toEqual([])
      expect(await claim()).toEqual(waiting)
    })

    it('goes on when a job is read after all that was held, which nobody has gone on without', async () => {
      await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
      const a = strange('A')
      await restored(a)
      await firstValueFrom(journey.drive.holdForgotten(a, rowsOf({}), 'it has not ended'))
      await read(a, { dev1: moved })
      expect([...(await firstValueFrom(journey.drive.givenUp(['A', 'B'])))]).toEqual([])
      expect(await claim()).toEqual(again)
      expect(names(await claimJob())).toEqual(['dev2'])
    })
  })
}
