import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { Observable } from 'rxjs'
import { TransientError } from '../../ports/errors'
import type { Lease, LeaseState } from '../../ports/lease'
import { asPortError } from '../session/transaction'
import { close, connect, release, renew, tryAcquire } from './lease-rows'

/** Milliseconds that never go back: for when to do something next. */
export const nowMs = (): number => performance.now()

/** An instant on both clocks of this machine. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

export const instant = (): Instant => ({ monotonicMs: nowMs(), wallMs: Date.now() })

/**
 * How long ago that was, by whichever clock says more: a lease must not last longer because somebody set the wall
 * clock back, nor because the machine was suspended, while the other one stands still.
 */
export const elapsedMs = (since: Instant): number =>
  Math.max(nowMs() - since.monotonicMs, Date.now() - since.wallMs)

/** Resolves after `ms`, or at once when the signal is aborted. */
export const pauseMs = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(Math.max(0, ms), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

export interface Tenure {
  readonly connect: () => Promise<Client>
  readonly epoch: bigint
  readonly leaseMs: number
  readonly renewEveryMs: number
  readonly quotaWindowMs: number
  readonly emit: (state: LeaseState) => void
  readonly signal: AbortSignal
  readonly idle: () => boolean
}

/** Calls stop so long before the lease can be taken by another: what is on its way then arrives before. */
const marginMs = 2_000

/**
 * Renews a lease just acquired until it is lost, has expired, or `signal` is aborted; then gives it back if no call
 * is under way. Says `held` one quota window after it began, when the old holder's last calls have left the window.
 * `sentAt`: when the statement that acquired it was sent: from then on it counts.
 */
export const keepLease = async (tenure: Tenure, first: Client, sentAt: Instant): Promise<void> => {
  const { epoch, leaseMs, renewEveryMs, signal } = tenure
  const margin = Math.min(marginMs, leaseMs / 4)
  const firstCallAt = nowMs() + tenure.quotaWindowMs
  let client: Client | null = first
  let renewedAt = sentAt
  let isMine = true
  let hasSaid = false
  const mayCall = (): boolean => isMine && !signal.aborted && elapsedMs(renewedAt) < leaseMs - margin

  /** How long until the next try. */
  const renewOnce = async (): Promise<number> => {
    const startedAt = instant()
    try {
      client ??= await tenure.connect()
      isMine = await renew(client, epoch, leaseMs)
      renewedAt = startedAt
      return renewEveryMs
    } catch {
      // Whatever it was, the lease goes on as long as it was last renewed for, and no longer.
      await close(client)
      client = null
      isMine = elapsedMs(renewedAt) < leaseMs
      return renewEveryMs / 4
    }
  }

  let nextAt = sentAt.monotonicMs + renewEveryMs
  while (isMine && !signal.aborted) {
    await pauseMs((nowMs() < firstCallAt ? Math.min(nextAt, firstCallAt) : nextAt) - nowMs(), signal)
    if (signal.aborted) break
    if (nowMs() >= nextAt) nextAt = nowMs() + (await renewOnce())
    if (!hasSaid && nowMs() >= firstCallAt && mayCall()) {
      hasSaid = true
      tenure.emit({ kind: 'held', epoch, mayCall })
    }
  }
  // Aborted while still its holder.
  const isToRelease = isMine && tenure.idle()
  isMine = false
  if (isToRelease && client !== null) await release(client, epoch).catch(() => undefined)
  await close(client)
}

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
