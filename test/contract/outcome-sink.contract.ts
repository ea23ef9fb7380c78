import { firstValueFrom, lastValueFrom, type Subscription } from 'rxjs'
import { TransientError } from '../../src/ports/errors'
import type { OutcomeSink, SinkSession } from '../../src/ports/outcome-sink'
import { sampleChunk } from '../support/sample-outcome'

export interface OutcomeSinkHarness {
  readonly sink: OutcomeSink
  /** The ids of the outcomes that a reader of committed records sees, in no particular order. */
  published(): Promise<readonly string[]>
  close(): Promise<void>
}

/** What every sink of outcomes promises. */
export const outcomeSinkContract = (name: string, create: () => Promise<OutcomeSinkHarness>): void => {
  describe(`${name} as the sink of outcomes`, () => {
    let harness: OutcomeSinkHarness
    let open: Subscription[]
    const openSession = (): Promise<SinkSession> =>
      new Promise((resolve, reject) => {
        open.push(harness.sink.open().subscribe({ next: resolve, error: reject }))
      })
    const publish = (session: SinkSession, lastId: bigint, from: number, count: number): Promise<void> =>
      lastValueFrom(session.publish(sampleChunk(lastId, from, count)))
    const ids = (from: number, count: number): string[] =>
      sampleChunk(0n, from, count)
        .outcomes.map(outcome => outcome.id)
        .sort()
    const published = async (): Promise<string[]> => [...(await harness.published())].sort()

    beforeEach(async () => {
      harness = await create()
      open = []
    })
    afterEach(async () => {
      for (const session of open) session.unsubscribe()
      await harness.close()
    })

    it('has no position at first, and publishes nothing by being opened', async () => {
      const session = await openSession()
      expect(session.position).toBeNull()
      expect(await published()).toEqual([])
    })

    it('publishes chunk after chunk, each once', async () => {
      const session = await openSession()
      await publish(session, 1n, 0, 3)
      await publish(session, 5n, 3, 2)
      expect(await published()).toEqual(ids(0, 5))
    })

    it('does nothing before a chunk is subscribed', async () => {
      const session = await openSession()
      session.publish(sampleChunk(1n, 0, 1))
      await publish(session, 2n, 1, 1)
      expect(await published()).toEqual(ids(1, 1))
    })

    it('remembers the position for the next session', async () => {
      const first = await openSession()
      await publish(first, 7n, 0, 1)
      open[0]?.unsubscribe()
      const second = await openSession()
      expect(second.position).toBe(7n)
      await publish(second, 8n, 1, 1)
      expect((await openSession()).position).toBe(8n)
    })

    it('fences an older session', async () => {
      const older = await openSession()
      await publish(older, 1n, 0, 1)
      const newer = await openSession()
      expect(newer.position).toBe(1n)
      await expect(publish(older, 2n, 1, 1)).rejects.toBeInstanceOf(TransientError)
      await publish(newer, 2n, 1, 1)
      expect(await published()).toEqual(ids(0, 2))
    })

    it('ends a session with its first error', async () => {
      const older = await openSession()
      await openSession()
      await expect(publish(older, 1n, 0, 1)).rejects.toBeInstanceOf(TransientError)
      await expect(publish(older, 2n, 0, 1)).rejects.toBeInstanceOf(TransientError)
      expect(await published()).toEqual([])
    })

    it('reports a chunk that is not newer than the position as a defect, and publishes nothing', async () => {
      const session = await openSession()
      await publish(session, 4n, 0, 1)
      for (const lastId of [4n, 3n]) {
        const error = await publish(session, lastId, 1, 1).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(Error)
        expect(error).not.toBeInstanceOf(TransientError)
      }
      expect(await published()).toEqual(ids(0, 1))
    })

    it('publishes a chunk without outcomes as its position', async () => {
      const session = await openSession()
      await publish(session, 3n, 0, 0)
      expect((await openSession()).position).toBe(3n)
      expect(await published()).toEqual([])
    })

    it('emits one session and stays open', async () => {
      const session = await firstValueFrom(harness.sink.open())
      await expect(publish(session, 1n, 0, 1)).rejects.toBeInstanceOf(TransientError)
    })
  })
}
