import { Observable } from 'rxjs'
import { type Lease, type LeaseState, TransientError } from '../ports'
import { keepLease } from './keep-lease'
import { close, connect } from './lease-connection'
import { tryAcquire } from './lease-rows'
import { instant, pauseMs } from './monotonic-clock'
import { asPortError } from './transient-error'

export interface LeaseOptions {
  /** Names this process (`holder-name.ts`). All its sessions bear the name, and the next holder ends them. */
  readonly holder: string
  /** How long the lease lasts without renewal, by the database's clock. Default 10 s. */
  readonly leaseMs?: number
  /** Default 3 s. Also how long one answer of the database may take. */
  readonly renewEveryMs?: number
  /** How long a new holder waits before its first call. Default 1 s. */
  readonly quotaWindowMs?: number
}

export interface ClosableLease extends Lease {
  /** Resolves when what was unsubscribed has released the lease and closed its connection. */
  closed(): Promise<void>
}

const defaults = { leaseMs: 10_000, renewEveryMs: 3_000, quotaWindowMs: 1_000 }

/** Tries so long after its end, ms: a timer may fire early. */
const lateMs = 20

/** The lease on the account, kept in the database at `url`, over a connection of its own. */
export const createLease = (url: string, given: LeaseOptions): ClosableLease => {
  const options = { ...defaults, ...given }
  const running = new Set<Promise<void>>()

  /** One try; holds the lease until it is lost if it got it. Gives how long until the next try, ms. */
  const tryOnce = async (emit: (state: LeaseState) => void, signal: AbortSignal, idle: () => boolean) => {
    const { holder, leaseMs, renewEveryMs } = options
    const sentAt = instant()
    const client = await connect(url, holder, renewEveryMs)
    const acquired = await tryAcquire(client, holder, leaseMs).catch(async (error: unknown) => {
      await close(client)
      throw error
    })
    if (acquired.kind === 'taken') {
      await close(client)
      emit({ kind: 'standing-by', holder: acquired.holder })
      // It may be given back before it ends.
      return Math.min(renewEveryMs, acquired.expiresInMs + lateMs)
    }
    const { epoch } = acquired
    const again = () => connect(url, holder, renewEveryMs)
    await keepLease({ ...options, connect: again, epoch, emit, signal, idle }, client, sentAt)
    if (!signal.aborted) emit({ kind: 'standing-by', holder: null })
    return renewEveryMs
  }

  const tryForEver = async (emit: (state: LeaseState) => void, signal: AbortSignal, idle: () => boolean) => {
    while (!signal.aborted) {
      let nextInMs = options.renewEveryMs / 4
      try {
        nextInMs = await tryOnce(emit, signal, idle)
      } catch (error) {
        if (!(asPortError(error) instanceof TransientError)) throw error
        emit({ kind: 'standing-by', holder: null })
      }
      await pauseMs(nextInMs, signal)
    }
  }

  return {
    hold: idle =>
      new Observable<LeaseState>(subscriber => {
        const stop = new AbortController()
        let said: string | null = null
        const emit = (state: LeaseState): void => {
          // Standing by for the same holder is no news.
          const text = state.kind === 'held' ? `held ${state.epoch}` : `standing by for ${state.holder}`
          if (text !== said) subscriber.next(state)
          said = text
        }
        const run = tryForEver(emit, stop.signal, idle).catch((error: unknown) => subscriber.error(error))
        running.add(run)
        run.finally(() => running.delete(run))
        return () => stop.abort()
      }),
    closed: async () => {
      await Promise.all(running)
    },
  }
}
