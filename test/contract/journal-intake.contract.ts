import { firstValueFrom } from 'rxjs'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney, names } from '../support/journal-journey'
import { chunkOf, requestedAt, routeTo } from '../support/journal-requests'

/** What IntakeJournal promises, whatever keeps it. */
export const journalIntakeContract = (name: string, journal: JournalUnderTest): void => {
  describe(`journal, intake: ${name}`, () => {
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
      expect([...positions]).toEqual([[3, 8n]])
      expect((await firstValueFrom(journey.at.intake.positions('other', 'requests', [3]))).size).toBe(0)
    })

    it('counts the repeat of a rejection, and publishes it once', async () => {
      const bad = { requestId: 'r1', productKey: 'p', deviceName: 'x' }
      await firstValueFrom(journey.at.intake.append(chunkOf(0n, [], [bad, bad])))
      await firstValueFrom(journey.at.intake.append(chunkOf(2n, [], [bad])))
      expect(await journey.at.conservation()).toMatchObject({ accepted: 3, rejected: 1, duplicate: 2 })
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
}
