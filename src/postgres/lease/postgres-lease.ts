/** The lease on the account, kept in PostgreSQL: one process holds it, the others stand by. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { Observable } from 'rxjs'
import { RestoredDatabaseError } from '../../domain/restored-database'
import { TransientError } from '../../ports/errors'
import type { Lease, LeaseState } from '../../ports/lease'
import type { Meet } from '../session/session'
import { asPortError } from '../session/transaction'
import { connect, disconnect, release, renew, tryAcquire } from './lease-rows'

export interface LeaseOptions {
  /** Names this process (`holderName`). All its sessions bear the name, and the next holder ends them. */
  readonly holder: string
  /** How long the lease lasts without renewal, by the database's clock. Default 10 s. */
  readonly leaseMs?: number
  /** Default 3 s. Also how long one answer of the database may take. */
  readonly renewEveryMs?: number
  /** How long a new holder waits before its first call. Default 1 s. */
  readonly quotaWindowMs?: number
  /** Looks at each new connection. While it throws, the lease is not taken. */
  readonly meet?: Meet
  /** Learns the epoch of this holder. */
  readonly seen?: { epoch: bigint }
}

const defaults = { leaseMs: 10_000, renewEveryMs: 3_000, quotaWindowMs: 1_000 }

export interface StoppableLease extends Lease {
  /** Resolves when every hold that was unsubscribed has released the lease and closed its connection. */
  stop(): Promise<void>
}

/** Calls stop this long before another process can take the lease, ms: the calls on their way then arrive before that. */
const marginMs = 2_000

/** A try after the end of another's lease comes this much later, ms, because a timer may fire early. */
const lateMs = 20

/** Milliseconds that never go back, to plan the next step by. */
const nowMs = (): number => performance.now()

/** An instant on both clocks of this machine. */
interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

const instant = (): Instant => ({ monotonicMs: nowMs(), wallMs: Date.now() })

/**
 * How long ago `since` was, by the clock that shows more. The wall clock may be set back, and the monotonic clock stands
 * still while the machine is suspended: neither may make the lease last longer.
 */
const elapsedMs = (since: Instant): number => Math.max(nowMs() - since.monotonicMs, Date.now() - since.wallMs)

/** Resolves after `ms`, or at once when the signal is aborted. */
const pauseMs = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(Math.max(0, ms), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

interface Tenure {
  readonly connect: () => Promise<Client>
  readonly holder: string
  readonly epoch: bigint
  readonly leaseMs: number
  readonly renewEveryMs: number
  readonly quotaWindowMs: number
  readonly emit: (state: LeaseState) => void
  readonly signal: AbortSignal
  readonly idle: () => boolean
}

/**
 * Renews a lease that was just acquired until it is lost, has expired, or `signal` is aborted; then gives it back if no
 * call is under way. Emits `held` one quota window after it began, when the old holder's last calls have left the window.
 * The lease counts from `sentAt`, when the statement that acquired it was sent.
 */
const keepLease = async (tenure: Tenure, first: Client, sentAt: Instant): Promise<void> => {
  const { epoch, leaseMs, renewEveryMs, signal } = tenure
  const margin = Math.min(marginMs, leaseMs / 4)
  const firstCallAt = nowMs() + tenure.quotaWindowMs
  let client: Client | null = first
  let renewedAt = sentAt
  let isMine = true
  let hasSaid = false
  const mayCall = (): boolean => isMine && !signal.aborted && elapsedMs(renewedAt) < leaseMs - margin

  /** Gives how long to wait until the next try, ms. */
  const renewOnce = async (): Promise<number> => {
    const startedAt = instant()
    try {
      client ??= await tenure.connect()
      isMine = await renew(client, tenure)
      renewedAt = startedAt
      return renewEveryMs
    } catch {
      // After any error the lease lasts until the end that its last renewal set.
      disconnect(client)
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
  // A lease is given back only if it was still held when the stop came.
  const isToRelease = isMine && tenure.idle()
  isMine = false
  if (isToRelease && client !== null) await release(client, epoch, tenure.holder).catch(() => undefined)
  disconnect(client)
}

/** The lease on the account, kept in the database at `url`, over a connection of its own. */
export const createLease = (url: string, given: LeaseOptions): StoppableLease => {
  const options = { ...defaults, ...given }
  const running = new Set<Promise<void>>()

  /** Tries once, and keeps the lease until it is lost if it got it. Gives how long to wait until the next try, ms. */
  const tryOnce = async (emit: (state: LeaseState) => void, signal: AbortSignal, idle: () => boolean) => {
    const { holder, leaseMs, renewEveryMs, meet, seen } = options
    const sentAt = instant()
    const client = await connect(url, holder, renewEveryMs, meet)
    const acquired = await tryAcquire(client, holder, leaseMs).catch((error: unknown) => {
      disconnect(client)
      throw error
    })
    if (acquired.kind === 'taken') {
      disconnect(client)
      emit({ kind: 'standing-by', holder: acquired.holder })
      // The holder may give it back before its end.
      return Math.min(renewEveryMs, acquired.expiresInMs + lateMs)
    }
    const { epoch } = acquired
    if (seen !== undefined && epoch > seen.epoch) seen.epoch = epoch
    const again = () => connect(url, holder, renewEveryMs, meet)
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
        // A database that has lost commits may be accepted, or give way to the right one.
        const mayPass = error instanceof RestoredDatabaseError || asPortError(error) instanceof TransientError
        if (!mayPass) throw error
        emit({ kind: 'standing-by', holder: null })
      }
      await pauseMs(nextInMs, signal)
    }
  }

  return {
    hold: idle =>
      new Observable<LeaseState>(subscriber => {
        const unsubscribed = new AbortController()
        let said: string | null = null
        const emit = (state: LeaseState): void => {
          // Standing by for the same holder is no news.
          const text = state.kind === 'held' ? `held ${state.epoch}` : `standing by for ${state.holder}`
          if (text !== said) subscriber.next(state)
          said = text
        }
        const run = tryForEver(emit, unsubscribed.signal, idle).catch((error: unknown) =>
          subscriber.error(error),
        )
        running.add(run)
        run.finally(() => running.delete(run))
        return () => unsubscribed.abort()
      }),
    stop: async () => {
      await Promise.all(running)
    },
  }
}
