/** Steps that the contract suites of the journal share: take requests in, claim, and carry jobs to their end. */
import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Outcome, Verdict } from '../../src/domain/outcome'
import type { AppendReceipt, Claim, DriveJournal } from '../../src/ports/journal'
import type { HarnessOptions, JournalHarness, JournalUnderTest } from './journal-harness'
import { chunkOf, type RequestSpec } from './journal-requests'

/** Every pending move is ready at once. */
export const all: HarnessOptions = { batchMaxDevices: 100, batchMaxWaitMs: 0 }

/** One verdict for each move: moved, or what `more` says. */
export const verdicts = (job: Job, more: Partial<Verdict> = {}): Verdict[] =>
  job.moves.map(({ seq }) => ({
    seq,
    outcome: 'moved',
    final: true,
    code: '200',
    message: null,
    retryInMs: null,
    ...more,
  }))

/** A verdict that sends the device again at once. */
export const retried: Partial<Verdict> = {
  outcome: 'failed',
  final: false,
  code: '9500',
  message: 'busy',
  retryInMs: 0,
}

export const names = (job: Job): string[] => job.moves.map(move => move.deviceName)

export interface Journey {
  readonly at: JournalHarness
  readonly drive: DriveJournal
  /** Starts on an empty journal. */
  open(options: HarnessOptions): Promise<void>
  /** Appends requests as the next records of one partition. */
  append(...requests: readonly RequestSpec[]): Promise<AppendReceipt>
  claim(inHand?: readonly number[], mayTakePiece?: boolean): Promise<Claim>
  /** Throws when there is nothing to claim. */
  claimJob(inHand?: readonly number[]): Promise<Job>
  /** From claimed to running. */
  start(job: Job): Promise<void>
  /** From running to settled. */
  end(job: Job, more?: Partial<Verdict>): Promise<void>
  /** From claimed to settled. */
  finish(job: Job, more?: Partial<Verdict>): Promise<void>
  /** Everything in the outbox. */
  published(): Promise<readonly Outcome[]>
  /** Checks that nothing is lost, and that the counters agree with the rows. */
  check(): Promise<void>
}

export const createJourney = (journal: JournalUnderTest): Journey => {
  let current: { readonly at: JournalHarness; readonly drive: DriveJournal } | null = null
  let offset = 0n
  const now = () => {
    if (current === null) throw new Error('the journal is not open')
    return current
  }
  const claim = (inHand: readonly number[] = [], mayTakePiece = false): Promise<Claim> =>
    firstValueFrom(now().drive.claim(inHand, mayTakePiece))
  const start = async ({ batchId }: Job): Promise<void> => {
    await firstValueFrom(now().drive.creating(batchId))
    await firstValueFrom(now().drive.created(batchId, `P${batchId}`))
  }
  const end = async (job: Job, more: Partial<Verdict> = {}): Promise<void> => {
    await firstValueFrom(now().drive.markEnded(job, 'completed'))
    await firstValueFrom(now().drive.settle(job.batchId, verdicts(job, more), 'completed'))
  }
  return {
    get at() {
      return now().at
    },
    get drive() {
      return now().drive
    },
    open: async options => {
      const at = await journal.open(options)
      current = { at, drive: at.drive() }
      offset = 0n
    },
    append: (...requests) => {
      const chunk = chunkOf(offset, requests)
      offset = chunk.nextOffset
      return firstValueFrom(now().at.intake.append(chunk))
    },
    claim,
    claimJob: async (inHand = []) => {
      const claimed = await claim(inHand)
      if (claimed.kind !== 'job') throw new Error(`nothing to claim, wake in ${claimed.wakeInMs}`)
      return claimed.job
    },
    start,
    end,
    finish: async (job, more = {}) => {
      await start(job)
      await end(job, more)
    },
    published: async () =>
      (await firstValueFrom(now().at.outbox.next(0n, { outcomes: 10_000, bytes: 100_000_000 })))?.outcomes ??
      [],
    check: async () => {
      const counted = await now().at.conservation()
      expect(counted.gap).toBe(0)
      expect(await now().at.recount()).toEqual(counted)
    },
  }
}
