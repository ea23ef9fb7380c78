import type { Client } from 'pg'
import type { LeaseState } from '../ports'
import { close } from './lease-connection'
import { release, renew } from './lease-rows'
import { elapsedMs, type Instant, instant, nowMs, pauseMs } from './monotonic-clock'

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
