/** The lease in virtual time, kept as the PostgreSQL adapter keeps it: a row with an expiry and an epoch, renewed in time. */
import { asyncScheduler, Observable, of } from 'rxjs'
import type { Lease, LeaseState } from '../../../src/ports/lease'

export interface LeaseRow {
  epoch: bigint
  holder: string | null
  /** ms since 1970, by the database's clock. */
  expiresAt: number
}

export interface LeaseTiming {
  readonly leaseMs: number
  readonly renewEveryMs: number
  readonly quotaWindowMs: number
  /** Calls stop this long before another process can take the lease, ms. */
  readonly marginMs: number
}

export interface SimulatedLeaseDeps {
  readonly row: LeaseRow
  readonly holder: string
  readonly timing: LeaseTiming
  /** One statement on the row, over the network. */
  readonly statement: <T>(name: string, work: () => Observable<T>) => Observable<T>
  /** Called inside the statement that takes the lease. */
  readonly onTaken: (epoch: bigint) => void
}

type Acquired =
  | { readonly isTaken: true; readonly holder: string | null }
  | { readonly isTaken: false; readonly epoch: bigint }

const now = (): number => asyncScheduler.now()
const later = (ms: number, act: () => void): void => {
  asyncScheduler.schedule(act, Math.max(0, ms))
}

export const createSimulatedLease = (deps: SimulatedLeaseDeps): Lease => {
  const { row, holder, statement } = deps
  const { leaseMs, renewEveryMs } = deps.timing

  const acquire = () =>
    statement<Acquired>('acquire the lease', () => {
      if (row.expiresAt > now()) return of({ isTaken: true, holder: row.holder })
      const byClock = BigInt(Math.floor(now()))
      row.epoch = byClock > row.epoch ? byClock : row.epoch + 1n
      row.holder = holder
      row.expiresAt = now() + leaseMs
      deps.onTaken(row.epoch)
      return of({ isTaken: false, epoch: row.epoch })
    })
  const renew = (epoch: bigint) =>
    statement('renew the lease', () => {
      if (row.epoch !== epoch) return of(false)
      row.expiresAt = now() + leaseMs
      return of(true)
    })
  const release = (epoch: bigint) =>
    statement('release the lease', () => {
      if (row.epoch === epoch) row.expiresAt = Number.NEGATIVE_INFINITY
      return of(undefined)
    })

  const hold = (idle: () => boolean): Observable<LeaseState> =>
    new Observable(subscriber => {
      let isOver = false
      /** Gives the lease up; null: it is not held. */
      let giveUp: (() => void) | null = null
      let said: string | null = null

      const emit = (state: LeaseState): void => {
        const text = state.kind === 'held' ? `held ${state.epoch}` : `standing by for ${state.holder}`
        if (text !== said) subscriber.next(state)
        said = text
      }
      const tryAgainLater = (): void => later(renewEveryMs, tryOnce)

      const keep = (epoch: bigint, sentAt: number): void => {
        giveUp = keepLease(
          { ...deps.timing, epoch, sentAt, emit, idle, renew, release, isOver: () => isOver },
          () => {
            giveUp = null
            emit({ kind: 'standing-by', holder: null })
            tryAgainLater()
          },
        )
      }

      const tryOnce = (): void => {
        if (isOver) return
        const sentAt = now()
        acquire().subscribe({
          next: found => {
            if (isOver) return
            if (!found.isTaken) keep(found.epoch, sentAt)
            else {
              emit({ kind: 'standing-by', holder: found.holder })
              tryAgainLater()
            }
          },
          error: () => {
            emit({ kind: 'standing-by', holder: null })
            tryAgainLater()
          },
        })
      }

      tryOnce()
      return () => {
        isOver = true
        giveUp?.()
      }
    })

  return { hold }
}

interface Tenure extends LeaseTiming {
  readonly epoch: bigint
  readonly sentAt: number
  readonly emit: (state: LeaseState) => void
  readonly idle: () => boolean
  readonly renew: (epoch: bigint) => Observable<boolean>
  readonly release: (epoch: bigint) => Observable<unknown>
  readonly isOver: () => boolean
}

/** Renews a lease that was just acquired, and calls `onLost` when it is lost. Returns what gives it up. */
const keepLease = (tenure: Tenure, onLost: () => void): (() => void) => {
  const { leaseMs, renewEveryMs, marginMs, epoch, sentAt, emit, isOver } = tenure
  const firstCallAt = now() + tenure.quotaWindowMs
  let renewedAt = sentAt
  let nextAt = sentAt + renewEveryMs
  let isMine = true
  let hasSaid = false
  const mayCall = (): boolean => isMine && !isOver() && now() < renewedAt + leaseMs - marginMs

  const goOn = (): void => {
    if (isOver()) return
    if (!isMine) {
      onLost()
      return
    }
    if (!hasSaid && now() >= firstCallAt && mayCall()) {
      hasSaid = true
      emit({ kind: 'held', epoch, mayCall })
    }
    const until = now() < firstCallAt ? Math.min(nextAt, firstCallAt) : nextAt
    later(until - now(), () => (now() >= nextAt ? renewOnce() : goOn()))
  }
  const renewOnce = (): void => {
    if (isOver()) return
    const startedAt = now()
    tenure.renew(epoch).subscribe({
      next: stillMine => {
        isMine &&= stillMine
        renewedAt = startedAt
        nextAt = now() + renewEveryMs
        goOn()
      },
      error: () => {
        isMine &&= now() < renewedAt + leaseMs
        nextAt = now() + renewEveryMs / 4
        goOn()
      },
    })
  }
  goOn()
  return () => {
    const isToRelease = isMine && tenure.idle()
    isMine = false
    if (!isToRelease) return
    tenure.release(epoch).subscribe({
      error: () => {
        // A lease that could not be released runs out by itself.
      },
    })
  }
}
