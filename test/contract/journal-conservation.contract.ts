import fc from 'fast-check'
import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Outcome, Verdict } from '../../src/domain/outcome'
import type { DriveJournal } from '../../src/ports/journal'
import type { JournalHarness, JournalUnderTest } from '../support/journal-harness'
import { chunkOf, routeTo } from '../support/journal-requests'

const routes = [
  routeTo('iot-1'),
  routeTo('iot-2', { priority: 'urgent' }),
  routeTo('iot-1', { productKey: 'a1Other' }),
]

const requests = fc.array(
  fc.record({
    requestId: fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8'),
    route: fc.constantFrom(...routes),
    devices: fc.subarray(['dev1', 'dev2', 'dev3', 'dev4'], { minLength: 1 }),
  }),
  { minLength: 1, maxLength: 4 },
)

const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('append' as const), requests, rejections: fc.nat({ max: 1 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'settle' as const,
        'create' as const,
        'lose' as const,
        'split' as const,
        'hold' as const,
        'part' as const,
      ),
      /** The place among the jobs in hand. */
      which: fc.nat(),
      /** One digit for each move says how it ends. */
      verdicts: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('route' as const),
      routeId: fc.integer({ min: 1, max: 3 }),
      isHeld: fc.boolean(),
    }),
  },
)

type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

const verdictsOf = (job: Job, seed: number): Verdict[] =>
  job.moves.map(({ seq }, index): Verdict => {
    const digit = Math.floor(seed / 3 ** index) % 3
    if (digit === 0)
      return { seq, outcome: 'moved', final: true, code: '200', message: null, retryInMs: null }
    if (digit === 1)
      return { seq, outcome: 'failed', final: true, code: '6204', message: 'gone', retryInMs: null }
    return { seq, outcome: 'failed', final: false, code: '9500', message: 'busy', retryInMs: 0 }
  })

/** Plays operations on a journal. An operation that does not fit the present state is skipped. */
const createPlayer = (at: JournalHarness) => {
  const drive: DriveJournal = at.drive()
  const inHand = new Map<number, Job>()
  const accepted = new Set<string>()
  let offset = 0n

  const checkApart = (job: Job): void => {
    const names = new Set(job.moves.map(move => move.deviceName))
    for (const other of inHand.values())
      if (other.route.productKey === job.route.productKey)
        for (const move of other.moves)
          if (names.has(move.deviceName))
            throw new Error(`${move.deviceName} in jobs ${job.batchId} and ${other.batchId}`)
  }
  const claim = async (): Promise<Job | null> => {
    const claimed = await firstValueFrom(drive.claim([...inHand.keys()]))
    if (claimed.kind === 'idle') return null
    checkApart(claimed.job)
    inHand.set(claimed.job.batchId, claimed.job)
    return claimed.job
  }
  const run = async (job: Job): Promise<void> => {
    if (job.status !== 'running') {
      if (job.status === 'claimed') await firstValueFrom(drive.creating(job.batchId))
      await firstValueFrom(drive.created(job.batchId, `P${job.batchId}`))
    }
    await firstValueFrom(drive.markEnded(job, 'completed'))
  }
  const settle = async (job: Job, seed: number): Promise<void> => {
    if (job.status === 'looking-up')
      await firstValueFrom(drive.settleLookedUp(job.batchId, [], verdictsOf(job, seed)))
    else {
      await run(job)
      await firstValueFrom(drive.settle(job.batchId, verdictsOf(job, seed), 'completed'))
    }
    inHand.delete(job.batchId)
  }
  /** Settles every third move, or none, and leaves the others to be looked up. */
  const settlePart = async (job: Job, seed: number): Promise<void> => {
    const some = verdictsOf(job, seed).filter((_, index) => index % 3 === seed % 3)
    const settled = new Set(some.map(({ seq }) => seq))
    const moves = job.moves.filter(({ seq }) => !settled.has(seq))
    if (job.status === 'looking-up')
      expect(await firstValueFrom(drive.settleLookedUp(job.batchId, [], some))).toBe(moves.length)
    else {
      await run(job)
      await firstValueFrom(drive.settle(job.batchId, some, 'completed', { holdUntold: null }))
    }
    // A move that is told may be in another job at once.
    if (moves.length === 0) inHand.delete(job.batchId)
    else inHand.set(job.batchId, { ...job, moves, status: 'looking-up' })
  }
  const advance = async (job: Job, kind: 'create' | 'lose' | 'split' | 'hold'): Promise<void> => {
    if (kind === 'hold') {
      await firstValueFrom(drive.hold(job, 'test'))
    } else if (kind === 'create' && job.status === 'claimed') {
      await firstValueFrom(drive.creating(job.batchId))
      await firstValueFrom(drive.created(job.batchId, `P${job.batchId}`))
      inHand.set(job.batchId, { ...job, status: 'running' })
    } else if (kind === 'lose' && job.status === 'claimed') {
      await firstValueFrom(drive.creating(job.batchId))
      await firstValueFrom(drive.unanswered(job.batchId, 'timeout'))
      inHand.set(job.batchId, { ...job, status: 'unknown' })
    } else if (
      kind === 'split' &&
      job.status !== 'running' &&
      job.status !== 'looking-up' &&
      new Set(job.moves.map(move => move.deviceName)).size > 1
    ) {
      await firstValueFrom(drive.split(job.batchId, 'refused'))
      inHand.delete(job.batchId)
    }
  }
  const append = async ({ requests, rejections }: Extract<Operation, { kind: 'append' }>): Promise<void> => {
    const chunk = chunkOf(offset, requests, rejections > 0 ? [{ requestId: 'bad' }] : [])
    offset = chunk.nextOffset
    for (const { requestId, route, deviceNames } of chunk.requests)
      for (const name of deviceNames) accepted.add(`${requestId} ${route.productKey} ${name}`)
    await firstValueFrom(at.intake.append(chunk))
  }
  return {
    play: async (operation: Operation): Promise<void> => {
      if (operation.kind === 'append') return append(operation)
      if (operation.kind === 'route') return at.holdRoute(operation.routeId, operation.isHeld)
      const job = [...inHand.values()][
        operation.kind === 'claim' ? -1 : operation.which % Math.max(inHand.size, 1)
      ]
      if (operation.kind === 'claim') await claim()
      else if (job === undefined) return
      else if (operation.kind === 'settle') await settle(job, operation.verdicts)
      else if (operation.kind === 'part') await settlePart(job, operation.verdicts)
      else await advance(job, operation.kind)
    },
    /** Carries everything to its end, and returns what was taken in. */
    drain: async (): Promise<ReadonlySet<string>> => {
      for (const routeId of [1, 2, 3]) await at.holdRoute(routeId, false)
      for (let rounds = 0; rounds < 500; rounds += 1) {
        const [job] = inHand.values()
        if (job !== undefined) await settle(job, 0)
        else if ((await claim()) === null) return accepted
      }
      throw new Error('it never ends')
    },
  }
}

/** Checks that every request and device has one final outcome, and every outcome an id of its own. */
const checkOutcomes = (outcomes: readonly Outcome[], accepted: ReadonlySet<string>): void => {
  const ids = outcomes.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const finals = outcomes.filter(({ final, outcome }) => final && outcome !== 'rejected')
  const ended = finals.map(
    ({ requestId, productKey, deviceName }) => `${requestId} ${productKey} ${deviceName}`,
  )
  expect(ended.sort()).toEqual([...accepted].sort())
}

/** Nothing is lost and nothing is counted twice, in any order of operations. */
export const journalConservation = (name: string, journal: JournalUnderTest, numRuns: number): void => {
  describe(`conservation of moves in the journal (${name})`, () => {
    afterAll(() => journal.close())

    it('holds after every step of any sequence of steps', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async operations => {
          const at = await journal.open({ batchMaxDevices: 5, batchMaxWaitMs: 0 })
          const player = createPlayer(at)
          for (const operation of operations) {
            await player.play(operation)
            const counted = await at.conservation()
            expect(counted.gap).toBe(0)
            expect(await at.recount()).toEqual(counted)
          }
          const accepted = await player.drain()
          const { moved, failed, rejected, duplicate, ...others } = await at.conservation()
          expect(others).toEqual({
            accepted: moved + failed + rejected + duplicate,
            superseded: 0,
            pending: 0,
            in_flight: 0,
            retrying: 0,
            held: 0,
            gap: 0,
          })
          const chunk = await firstValueFrom(at.outbox.next(0n, { outcomes: 100_000, bytes: 100_000_000 }))
          checkOutcomes(chunk?.outcomes ?? [], accepted)
        }),
        { numRuns },
      )
    })
  })
}
