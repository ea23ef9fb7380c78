/** The ground truth: every job of ours that ran at the provider, when it ran, and what became of each device. */
import type { Clock } from './clock'

export interface LedgerJob {
  readonly providerJobId: string
  readonly productKey: string
  readonly target: string
  readonly deviceNames: readonly string[]
  readonly startedAt: number
  endedAt: number | null
  interrupted: boolean
  /** By device name: the code in the job's result file. */
  readonly rows: Map<string, string>
  readonly moved: Set<string>
  /** The provider has forgotten it: nobody can ask for it any longer. */
  isForgotten: boolean
  /** When an operator gave up waiting for it: it never ends, and moves nothing. null: nobody did. */
  givenUpAt: number | null
}

/** Somebody else's job. */
export interface Stranger {
  readonly providerJobId: string
  readonly total: number
  readonly since: number
  readonly until: number
}

export interface Ledger {
  readonly jobs: ReadonlyMap<string, LedgerJob>
  started(job: Pick<LedgerJob, 'providerJobId' | 'productKey' | 'target' | 'deviceNames'>): LedgerJob
  ended(providerJobId: string, interrupted: boolean): LedgerJob | null
  /** A create of these devices leaves for the provider now. It may run much later. */
  createLeaves(deviceNames: readonly string[]): void
  /** When the latest create of these devices left. */
  leftAt(deviceNames: readonly string[]): number
  forgottenByProvider(providerJobId: string): void
  /** The job, which never ends, is ours no longer. */
  giveUp(providerJobId: string): void
  /** How many jobs of ours are open now. */
  open(): number
  readonly strangers: Stranger[]
}

export const createLedger = (clock: Clock): Ledger => {
  const jobs = new Map<string, LedgerJob>()
  const lefts = new Map<string, number>()
  let open = 0
  return {
    jobs,
    started: job => {
      const entry: LedgerJob = {
        ...job,
        startedAt: clock.now(),
        endedAt: null,
        interrupted: false,
        rows: new Map(),
        moved: new Set(),
        isForgotten: false,
        givenUpAt: null,
      }
      jobs.set(job.providerJobId, entry)
      open += 1
      return entry
    },
    ended: (providerJobId, interrupted) => {
      const entry = jobs.get(providerJobId)
      if (entry === undefined) return null
      entry.endedAt = clock.now()
      entry.interrupted = interrupted
      open -= 1
      return entry
    },
    forgottenByProvider: providerJobId => {
      const entry = jobs.get(providerJobId)
      if (entry !== undefined) entry.isForgotten = true
    },
    giveUp: providerJobId => {
      const entry = jobs.get(providerJobId)
      if (entry === undefined || entry.givenUpAt !== null) return
      entry.givenUpAt = clock.now()
      open -= 1
    },
    createLeaves: deviceNames => {
      lefts.set(deviceNames.join(' '), clock.now())
    },
    leftAt: deviceNames => lefts.get(deviceNames.join(' ')) ?? clock.now(),
    open: () => open,
    strangers: [],
  }
}
