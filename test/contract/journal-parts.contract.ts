import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { LookUp } from '../../src/domain/look-up'
import type { Verdict } from '../../src/domain/outcome'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names, retried, verdicts } from '../support/journal-journey'
import { routeTo } from '../support/journal-requests'

const found = { instanceId: 'iot-target', cameFrom: 'iot-source', sentAt: 1_676_297_683_000, changedAt: null }
const answer = (deviceName: string, answeredAt = 1): LookUp => ({ deviceName, answeredAt, found, code: null })
const useless = (deviceName: string): LookUp => ({
  deviceName,
  answeredAt: 2,
  found: null,
  code: 'iot.device.NotExistedDevice',
})

/** What every implementation of the journal promises of jobs that settle in parts, while devices are looked up. */
export const journalPartsContract = (name: string, journal: JournalUnderTest): void => {
  describe(`a job that settles in parts in the journal (${name})`, () => {
    const journey = createJourney(journal)
    const { append, claim, claimJob, start, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    const of = (job: Job, ...devices: string[]): Verdict[] =>
      verdicts(job).filter((_, index) => devices.includes(job.moves[index]?.deviceName ?? ''))
    const failed = (each: Verdict): Verdict => ({ ...each, ...retried, retryInMs: 60_000 })
    const ended = async (devices: readonly string[]): Promise<Job> => {
      await append({ requestId: `of ${devices[0]}`, devices })
      const job = await claimJob()
      await start(job)
      await firstValueFrom(journey.drive.markEnded(job, 'interrupted'))
      return job
    }
    /** Settles what the file tells of these devices, and leaves the others to be looked up. */
    const told = (job: Job, devices: readonly string[], holdUntold: string | null = null) =>
      firstValueFrom(journey.drive.settle(job.batchId, of(job, ...devices), 'interrupted', { holdUntold }), {
        defaultValue: undefined,
      })
    const lookedUp = (job: Job, lookUps: readonly LookUp[], each: readonly Verdict[]) =>
      firstValueFrom(journey.drive.settleLookedUp(job.batchId, lookUps, each))
    const untold = async (job: Job, devices = 10) =>
      (await firstValueFrom(journey.drive.untoldMoves(job.batchId, devices))).map(
        ({ deviceName }) => deviceName,
      )

    it('is settled with its last part, and each part is published once', async () => {
      const job = await ended(['dev1', 'dev2', 'dev3', 'dev4', 'dev5'])
      expect(await firstValueFrom(journey.drive.nextUntold())).toBeNull()
      // Each step is taken again, because the answer of its commit may have been lost.
      for (const _time of [1, 2]) await told(job, ['dev1', 'dev3'])
      expect(await journey.at.conservation()).toMatchObject({ moved: 2, in_flight: 3 })
      expect((await published()).map(({ deviceName }) => deviceName)).toEqual(['dev1', 'dev3'])
      expect(await firstValueFrom(journey.drive.nextUntold())).toMatchObject({
        batchId: job.batchId,
        ended: 'interrupted',
        holdUntold: null,
        releases: 0,
        route: job.route,
        createStartedAt: expect.any(Number),
      })
      expect(await untold(job)).toEqual(['dev2', 'dev4', 'dev5'])
      const [two] = of(job, 'dev2')
      if (two === undefined) throw new Error('there is no dev2')
      for (const _time of [1, 2]) expect(await lookedUp(job, [answer('dev2')], [failed(two)])).toBe(2)
      expect(await journey.at.conservation()).toMatchObject({ moved: 2, retrying: 1, in_flight: 2 })
      const rest = [answer('dev4', 3), answer('dev5', 4)]
      for (const _time of [1, 2]) expect(await lookedUp(job, rest, of(job, 'dev4', 'dev5'))).toBe(0)
      expect(await firstValueFrom(journey.drive.nextUntold())).toBeNull()
      expect(await untold(job)).toEqual([])
      const outcomes = await published()
      expect(outcomes.map(({ deviceName, outcome, final }) => [deviceName, outcome, final])).toEqual([
        ['dev1', 'moved', true],
        ['dev3', 'moved', true],
        ['dev2', 'failed', false],
        ['dev4', 'moved', true],
        ['dev5', 'moved', true],
      ])
      expect((await firstValueFrom(journey.at.outbox.position('p'))).end).toBe(3n)
      expect((await journey.at.evidence(job.batchId)).lookUps).toEqual([answer('dev2'), ...rest])
    })

    it('gives each part its own time, and each row of the outbox alone', async () => {
      const job = await ended(['dev1', 'dev2', 'dev3'])
      await told(job, ['dev2'])
      await lookedUp(job, [answer('dev1')], of(job, 'dev1'))
      await lookedUp(job, [answer('dev3')], of(job, 'dev3'))
      const rows = []
      for (const position of [0n, 1n, 2n]) {
        const chunk = await firstValueFrom(journey.at.outbox.next(position, { outcomes: 1, bytes: 1e8 }))
        rows.push(chunk?.outcomes.map(({ deviceName }) => deviceName))
        expect(chunk?.lastId).toBe(position + 1n)
      }
      expect(rows).toEqual([['dev2'], ['dev1'], ['dev3']])
      const times = (await published()).map(({ settledAt }) => settledAt.getTime())
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    })

    it('is not offered for its slot, and is in line by age, unless it is held', async () => {
      const first = await ended(['dev1', 'dev2'])
      await told(first, ['dev1'])
      const second = await ended(['dev3', 'dev4'])
      await told(second, [])
      expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
      const next = async () => (await firstValueFrom(journey.drive.nextUntold()))?.batchId
      expect(await next()).toBe(first.batchId)
      await firstValueFrom(journey.drive.hold(first, 'why'))
      expect(await next()).toBe(second.batchId)
      expect(await journey.at.conservation()).toMatchObject({ moved: 1, held: 1, in_flight: 2 })
      expect(await firstValueFrom(journey.drive.load(first.batchId))).toMatchObject({ status: 'looking-up' })
    })

    it('keeps devices excluded until their own part is settled, and lets those go on that waited for told ones', async () => {
      const job = await ended(['dev1', 'dev2', 'dev3'])
      await append({ requestId: 'later', devices: ['dev1', 'dev2'], route: routeTo('iot-other') })
      // Both wait for the job.
      expect(await claim([job.batchId])).toEqual({ kind: 'idle', wakeInMs: null })
      await told(job, ['dev1'])
      const second = await claimJob()
      expect(names(second)).toEqual(['dev1'])
      await append({ requestId: 'third', devices: ['dev3'], route: routeTo('iot-other') })
      expect(await claim([second.batchId])).toMatchObject({ kind: 'idle' })
      await journey.finish(second)
      expect(await claim()).toMatchObject({ kind: 'idle' })
      await lookedUp(job, [answer('dev2')], of(job, 'dev2'))
      const third = await claimJob()
      expect(names(third)).toEqual(['dev2'])
      await journey.finish(third)
      await lookedUp(job, [answer('dev3')], of(job, 'dev3'))
      expect(names(await claimJob())).toEqual(['dev3'])
    })

    it('gives both moves of a device together, and no device whose answer told nothing once more', async () => {
      await append(
        { requestId: 'r1', devices: ['dev1', 'dev2'] },
        { requestId: 'r2', devices: ['dev3', 'dev1'] },
      )
      const job = await claimJob()
      await start(job)
      await firstValueFrom(journey.drive.markEnded(job, 'completed'))
      await firstValueFrom(journey.drive.settle(job.batchId, [], 'completed', { holdUntold: 'no file' }))
      expect(await published()).toEqual([])
      expect(await untold(job, 1)).toEqual(['dev1', 'dev1'])
      expect(await untold(job, 2)).toEqual(['dev1', 'dev2', 'dev1'])
      expect(await lookedUp(job, [useless('dev2')], [])).toBe(4)
      expect(await untold(job)).toEqual(['dev1', 'dev3', 'dev1'])
      expect(await lookedUp(job, [answer('dev1'), answer('dev3')], of(job, 'dev1', 'dev3'))).toBe(1)
      expect(await untold(job)).toEqual([])
      expect(await firstValueFrom(journey.drive.nextUntold())).toMatchObject({ holdUntold: 'no file' })
      expect(await lookedUp(job, [], [])).toBe(1)
    })

    it('takes no verdict that is not for one of its moves, and leaves what has an outcome as it is', async () => {
      const job = await ended(['dev1', 'dev2', 'dev3'])
      await told(job, ['dev1'])
      const [one, two] = of(job, 'dev1', 'dev2')
      if (one === undefined || two === undefined) throw new Error('two verdicts')
      for (const wrong of [[two, two], [{ ...two, seq: 99n }]])
        await expect(lookedUp(job, [], wrong)).rejects.toThrow('verdict')
      expect(await lookedUp(job, [], [failed(one), two])).toBe(1)
      expect((await published()).map(({ deviceName, outcome }) => [deviceName, outcome])).toEqual([
        ['dev1', 'moved'],
        ['dev2', 'moved'],
      ])
    })

    it('is refused to a holder whose lease was taken, and to one that has not ended', async () => {
      const job = await ended(['dev1', 'dev2'])
      await expect(lookedUp(job, [], [])).rejects.toThrow('settleLookedUp does not fit')
      await told(job, ['dev1'])
      await journey.at.takeOver()
      await expect(lookedUp(job, [answer('dev2')], of(job, 'dev2'))).rejects.toThrow('epoch')
    })
  })
}
