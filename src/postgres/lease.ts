import { Observable } from 'rxjs'
import { type Lease, type LeaseState, TransientError } from '../ports'
import { keepLease } from './keep-lease'
import { close, connect } from './lease-connection'
import { tryAcquire } from './lease-rows'
import { nowMs, pauseMs } from './monotonic-clock'
import { asPortError } from './transient-error'

export interface LeaseOptions {
  /** Names this process, for people. */
  readonly holder: string
  /** How long the lease lasts without renewal, by the database's clock. Default 10 s. */
  readonly leaseMs?: number
  /** Default 3 s. Also how long one answer of the database may take. */
  readonly renewEveryMs?: number
  /** How long a new holder waits before its first call. Default 1 s. */
  readonly quotaWindowMs?: number
  /** Server processes of this holder's other connections: the next holder ends them. */
  readonly backends?: () => readonly number[]
}

export interface ClosableLease extends Lease {
  /** Resolves when what was unsubscribed has released the lease and closed its connection. */
  closed(): Promise<void>
}

const defaults = { leaseMs: 10_000, renewEveryMs: 3_000, quotaWindowMs: 1_000, backends: () => [] }

/** The lease on the account, kept in the database at `url`, over a connection of its own. */
export const createLease = (url: string, given: LeaseOptions): ClosableLease => {
  const options = { ...defaults, ...given }
  const running = new Set<Promise<void>>()

  /** One try; holds the lease until it is lost if it got it. */
  const tryOnce = async (emit: (state: LeaseState) => void, signal: AbortSignal, idle: () => boolean) => {
    const sentAt = nowMs()
    const client = await connect(url, options.renewEveryMs)
    const acquired = await tryAcquire(client, options.holder, options.leaseMs, options.backends()).catch(
      async (error: unknown) => {
        await close(client)
        throw error
      },
    )
    if (acquired.kind === 'taken') {
      await close(client)
      emit({ kind: 'standing-by', holder: acquired.holder })
    } else {
      const { epoch } = acquired
      await keepLease(
        { ...options, connect: () => connect(url, options.renewEveryMs), epoch, emit, signal, idle },
        client,
        sentAt,
      )
      if (!signal.aborted) emit({ kind: 'standing-by', holder: null })
    }
  }

  const tryForEver = async (emit: (state: LeaseState) => void, signal: AbortSignal, idle: () => boolean) => {
    while (!signal.aborted) {
      try {
        await tryOnce(emit, signal, idle)
      } catch (error) {
        if (!(asPortError(error) instanceof TransientError)) throw error
        emit({ kind: 'standing-by', holder: null })
      }
      await pauseMs(options.renewEveryMs, signal)
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
