import { firstValueFrom } from 'rxjs'
import { RestoredDatabaseError } from '../../src/domain/restored-database'
import { StoppedPartitionError } from '../../src/ports/errors'
import type { JournalChunk } from '../../src/ports/journal'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { chunkOf, recordedAt, requestedAt, routeTo } from '../support/journal-requests'

/** What every implementation of the journal promises of intake. */
export const journalIntakeContract = (name: string, journal: JournalUnderTest): void => {
  describe(`intake into the journal (${name})`, () => {
    const journey = createJourney(journal)
    const { append, claimJob, finish, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    it('appends each record once, however often it is offered', async () => {
      const chunk = chunkOf(5n, [{ requestId: 'r1', devices: ['dev1', 'dev2'] }], [{}])
      expect(await firstValueFrom(journey.at.intake.append(chunk))).toEqual({ moves: 2, rejections: 1 })
      expect(await firstValueFrom(journey.at.intake.append(chunk))).toEqual({ moves: 0, rejections: 0 })
      const longer = chunkOf(5n, [
        { requestId: 'r1', devices: ['dev1', 'dev2'] },
        { requestId: 'r2', devices: ['dev3'] },
        { requestId: 'r3', devices: ['dev4'] },
      ])
      expect(await firstValueFrom(journey.at.intake.append(longer))).toEqual({ moves: 1, rejections: 0 })
      expect(names(await claimJob())).toEqual(['dev1', 'dev2', 'dev4'])
    })

    it('gives the next offset of each partition it has seen', async () => {
      await firstValueFrom(
        journey.at.intake.append(chunkOf(7n, [{ requestId: 'r1', devices: ['dev1'] }], [], 3)),
      )
      const positions = await firstValueFrom(journey.at.intake.positions('cluster', 'requests', [2, 3]))
      expect([...positions]).toMatchObject([
        [3, { next: 8n, life: 1, last: null, stopped: null, committedBefore: null }],
      ])
      expect((await firstValueFrom(journey.at.intake.positions('other', 'requests', [3]))).size).toBe(0)
    })

    const log = { clusterId: 'cluster', topic: 'requests', partition: 0 }
    const stored = async () =>
      (await firstValueFrom(journey.at.intake.positions('cluster', 'requests', [0]))).get(0)
    const chunk = (offset: bigint, device: string) =>
      chunkOf(offset, [{ requestId: `r-${device}`, devices: [device] }])
    const appended = (more: JournalChunk) => firstValueFrom(journey.at.intake.append(more))

    it('keeps the fingerprint of the last record', async () => {
      const last = { offset: 4n, timestampMs: 1_700_000_000_000, digest: '0123456789abcdef' }
      await appended({ ...chunk(4n, 'dev1'), last })
      expect(await stored()).toMatchObject({ next: 5n, last })
    })

    it('takes a chunk that continues from the stored position, or from before it, over gaps in the log', async () => {
      await appended(chunk(4n, 'dev1'))
      expect(await appended({ ...chunk(9n, 'dev2'), continuesFrom: 5n })).toMatchObject({ moves: 1 })
      expect(await appended({ ...chunk(9n, 'dev2'), continuesFrom: 5n })).toMatchObject({ moves: 0 })
      expect(await stored()).toMatchObject({ next: 10n })
    })

    it('refuses a chunk that continues from a position it has lost, and stores nothing of it', async () => {
      const from = { ...chunk(9n, 'dev2'), continuesFrom: 9n }
      await expect(appended(from)).rejects.toBeInstanceOf(RestoredDatabaseError)
      expect(await stored()).toBeUndefined()
      await appended(chunk(4n, 'dev1'))
      await expect(appended(from)).rejects.toBeInstanceOf(RestoredDatabaseError)
      expect(await stored()).toMatchObject({ next: 5n })
      expect(await journey.at.conservation()).toMatchObject({ accepted: 1 })
    })

    it('skips a gap once, however often it is told of it', async () => {
      await appended(chunk(4n, 'dev1'))
      const gap = { from: 5n, to: 8n }
      await firstValueFrom(journey.at.intake.skip(log, gap), { defaultValue: null })
      await firstValueFrom(journey.at.intake.skip(log, gap), { defaultValue: null })
      expect(await stored()).toMatchObject({ next: 8n })
      expect(await journey.at.lostRecords()).toBe(3)
      expect(await appended({ ...chunk(8n, 'dev2'), continuesFrom: 8n })).toMatchObject({ moves: 1 })
      await expect(
        firstValueFrom(journey.at.intake.skip(log, { from: 20n, to: 30n })),
      ).rejects.toBeInstanceOf(RestoredDatabaseError)
    })

    it('takes nothing from a partition that is stopped, which keeps its first reason', async () => {
      await appended(chunk(4n, 'dev1'))
      await firstValueFrom(journey.at.intake.stop(log, 'another log'), { defaultValue: null })
      await firstValueFrom(journey.at.intake.stop(log, 'once more'), { defaultValue: null })
      expect(await stored()).toMatchObject({ next: 5n, stopped: 'another log' })
      await expect(appended({ ...chunk(5n, 'dev2'), continuesFrom: 5n })).rejects.toBeInstanceOf(
        StoppedPartitionError,
      )
    })

    it('takes nothing that was read in another life of the topic', async () => {
      await appended(chunk(4n, 'dev1'))
      await expect(appended({ ...chunk(5n, 'dev2'), life: 2, continuesFrom: 5n })).rejects.toBeInstanceOf(
        StoppedPartitionError,
      )
    })

    it('counts the repeat of a rejection, and publishes it once', async () => {
      const bad = { requestId: 'r1', productKey: 'p', deviceName: 'x' }
      await firstValueFrom(journey.at.intake.append(chunkOf(0n, [], [bad, bad])))
      await firstValueFrom(journey.at.intake.append(chunkOf(2n, [], [bad])))
      expect(await journey.at.conservation()).toMatchObject({ accepted: 3, rejected: 1, duplicate: 2 })
      const [outcome, ...more] = await published()
      expect(more).toEqual([])
      expect(outcome).toMatchObject({
        id: 'requests/0/0/x/1',
        requestId: 'r1',
        outcome: 'rejected',
        final: true,
        code: 'invalid_json',
        route: null,
        originalSize: 3,
        contentType: 'application/cloudevents+json',
        requestedAt,
        recordedAt,
      })
      expect([...(outcome?.deadLetter ?? [])]).toEqual([0, 255, 1])
    })

    it('knows the repeat of a rejection without a device by its content', async () => {
      const bad = { requestId: 'r1', productKey: 'p', deadLetter: Buffer.from('{"a":1}') }
      const other = { ...bad, deadLetter: Buffer.from('{"a":2}') }
      await firstValueFrom(journey.at.intake.append(chunkOf(0n, [], [bad, other, bad])))
      await firstValueFrom(journey.at.intake.append(chunkOf(0n, [], [bad], 1)))
      await firstValueFrom(journey.at.intake.append(chunkOf(3n, [], [{ ...bad, requestId: 'r2' }])))
      expect(await journey.at.conservation()).toMatchObject({
        accepted: 5,
        rejected: 3,
        duplicate: 2,
        gap: 0,
      })
      expect((await published()).map(({ id }) => id)).toEqual([
        'requests/0/0/#0',
        'requests/0/1/#0',
        'requests/0/3/#0',
      ])
    })

    it('counts a bad repeat of an accepted request, which keeps its one final outcome', async () => {
      await append({ requestId: 'r1', route: routeTo('iot-t', { productKey: 'p' }), devices: ['dev1'] })
      const bad = { requestId: 'r1', productKey: 'p', deviceName: 'dev1' }
      await firstValueFrom(
        journey.at.intake.append(
          chunkOf(0n, [], [bad, { ...bad, requestId: 'r2' }, { ...bad, productKey: 'q' }], 1),
        ),
      )
      expect(await journey.at.conservation()).toMatchObject({
        accepted: 4,
        rejected: 2,
        duplicate: 1,
        gap: 0,
      })
      await finish(await claimJob())
      expect((await published()).map(({ id }) => id).sort()).toEqual([
        'requests/0/0/dev1/1',
        'requests/1/1/dev1/1',
        'requests/1/2/dev1/1',
      ])
    })

    it('counts a good repeat of a rejected request, which keeps its one final outcome', async () => {
      const route = routeTo('iot-t', { productKey: 'p' })
      const bad = { requestId: 'r1', productKey: 'p', deviceName: 'dev1' }
      await firstValueFrom(journey.at.intake.append(chunkOf(0n, [], [bad], 1)))
      // Another device, another product and another request are no repeats.
      expect(
        await append(
          { requestId: 'r1', route, devices: ['dev1', 'dev2'] },
          { requestId: 'r1', devices: ['dev1'] },
          { requestId: 'r2', route, devices: ['dev1'] },
        ),
      ).toEqual({ moves: 3, rejections: 0 })
      expect(await journey.at.conservation()).toMatchObject({
        accepted: 5,
        rejected: 1,
        duplicate: 1,
        pending: 3,
        gap: 0,
      })
    })

    it('lets the first record of a request and device count, within a chunk too', async () => {
      const route = routeTo('iot-t', { productKey: 'p' })
      const bad = (deviceName: string, offset: bigint) => ({
        requestId: 'r1',
        productKey: 'p',
        deviceName,
        position: { topic: 'requests', partition: 0, offset },
      })
      const chunk = chunkOf(1n, [{ requestId: 'r1', route, devices: ['dev1', 'dev2'] }])
      const rejections = chunkOf(0n, [], [bad('dev1', 0n), bad('dev2', 2n)]).rejections
      expect(
        await firstValueFrom(journey.at.intake.append({ ...chunk, nextOffset: 3n, rejections })),
      ).toEqual({ moves: 1, rejections: 1 })
      expect(names(await claimJob())).toEqual(['dev2'])
      expect((await published()).map(({ deviceName }) => deviceName)).toEqual(['dev1'])
      expect(await journey.at.conservation()).toMatchObject({
        accepted: 4,
        rejected: 1,
        duplicate: 2,
        gap: 0,
      })
    })

    it('keeps the time of the record through re-queues, apart from the time of the request', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      await finish(await claimJob(), { outcome: 'failed', final: false, retryInMs: 0, code: '9500' })
      await finish(await claimJob(), { outcome: 'failed', code: '9500' })
      expect(await published()).toMatchObject([
        { attempt: 1, requestedAt, recordedAt },
        { attempt: 2, final: true, requestedAt, recordedAt },
      ])
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
}
