import { firstValueFrom } from 'rxjs'
import type { JournalUnderTest } from '../support/journal-harness'
import { all, createJourney } from '../support/journal-journey'
import { chunkOf, requestedAt } from '../support/journal-requests'

/** What every implementation of the journal promises of its outbox. */
export const journalOutboxContract = (name: string, journal: JournalUnderTest): void => {
  describe(`the outbox of the journal (${name})`, () => {
    const journey = createJourney(journal)
    const { append, claimJob, finish, published } = journey

    beforeEach(() => journey.open(all))
    afterEach(() => journey.check())
    afterAll(() => journal.close())

    it('gives whole rows in order, small ones together', async () => {
      expect(
        await firstValueFrom(journey.at.outbox.next(0n, { outcomes: 10, bytes: 100_000_000 })),
      ).toBeNull()
      for (const devices of [['dev1', 'dev2'], ['dev3'], ['dev4', 'dev5', 'dev6']]) {
        await append({ requestId: `of ${devices[0]}`, devices })
        await finish(await claimJob())
      }
      const idsAfter = async (position: bigint, max: number) => {
        const chunk = await firstValueFrom(
          journey.at.outbox.next(position, { outcomes: max, bytes: 100_000_000 }),
        )
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

    it('keeps a chunk small by bytes too, dead letters included, but gives a large row whole', async () => {
      for (const from of [0n, 2n, 4n]) {
        const deadLetter = Buffer.alloc(from === 4n ? 200_000 : 20_000)
        await firstValueFrom(journey.at.intake.append(chunkOf(from, [], [{ deadLetter }, { deadLetter }])))
      }
      const lastIdAfter = async (position: bigint, bytes: number) =>
        (await firstValueFrom(journey.at.outbox.next(position, { outcomes: 1_000, bytes })))?.lastId
      expect(await lastIdAfter(0n, 1_000_000)).toBe(3n)
      expect(await lastIdAfter(0n, 100_000)).toBe(2n)
      expect(await lastIdAfter(0n, 50_000)).toBe(1n)
      expect(await lastIdAfter(2n, 50_000)).toBe(3n)
    })

    it('remembers how far each publisher came, and never goes back', async () => {
      await append({ requestId: 'r1', devices: ['dev1'] })
      await finish(await claimJob())
      expect(await firstValueFrom(journey.at.outbox.position('p'))).toEqual({ published: 0n, end: 1n })
      await firstValueFrom(journey.at.outbox.published('p', 1n))
      await firstValueFrom(journey.at.outbox.published('p', 0n))
      expect(await firstValueFrom(journey.at.outbox.position('p'))).toEqual({ published: 1n, end: 1n })
      expect(
        await firstValueFrom(journey.at.outbox.next(0n, { outcomes: 10, bytes: 100_000_000 })),
      ).toBeNull()
    })
  })
}
