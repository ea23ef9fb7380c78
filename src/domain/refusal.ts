import type { BatchMove, Search } from './job'
import { type BackoffPolicy, retryDelayMs } from './retry-policy'
import { decideOnPiece, type SearchDecision } from './search'

/** What to do with a batch whose create was refused as a whole: send it again, search it, hold it or wait. */

/**
 * Why a create was refused as a whole. `throttled`, `slots-full` and `not-sent` are harmless. `batch-refused` and
 * `account-refused` are permanent. `unknown` is a code that is in no table. A create without an answer is not refused;
 * it is reconciled.
 */
export type RefusalKind =
  | 'throttled'
  | 'slots-full'
  | 'not-sent'
  | 'batch-refused'
  | 'account-refused'
  | 'unknown'

export interface RefusalPolicy {
  /** Refusals with unknown codes after which the batch itself is taken to be the reason. */
  readonly maxRefusals: number
  /** Creates refused with unknown codes that may be spent on halving one split root. At most as many more succeed. */
  readonly splitBudget: number
  /** Pauses after harmless refusals. */
  readonly harmless: BackoffPolicy
  /** Pauses after unknown codes. They are longer, because the code may stand for a limit that only time lifts. */
  readonly unknown: BackoffPolicy
}

export const defaultRefusalPolicy: RefusalPolicy = {
  maxRefusals: 5,
  splitBudget: 40,
  harmless: { backoffMs: 1_000, backoffMaxMs: 30_000 },
  unknown: { backoffMs: 10_000, backoffMaxMs: 300_000 },
}

/** One refusal of a batch, and what is known of the batch and the account. */
export interface Refusal {
  readonly kind: RefusalKind
  /** The code concerns the route (product, instance, target account) and not a device. */
  readonly concernsRoute: boolean
  /** Counted refusals (with unknown codes) before this one, of this batch and of the batches it was split from. */
  readonly refusals: number
  /** Harmless refusals of this batch in a row, from 1, this one included. */
  readonly inARow: number
  /**
   * Counted refusals before this one, of all batches that stem from the same split root. `refusals` alone cannot bound
   * the halving: no batch has more than 14 ancestors, but 10,000 bad devices would cost 20,000 creates.
   */
  readonly splitRootRefusals: number
  /** The search for bad devices that the batch is a piece of, or the one that begins with this refusal. */
  readonly search: Search
  /** Number of distinct devices in the batch. */
  readonly devices: number
  /** Another batch was created since this one was first refused, so the reason is this batch and not the account. */
  readonly othersCreated: boolean
  /** No other job is known to be open in the account, so the reason is no limit on open jobs. */
  readonly aloneInAccount: boolean
}

export type RefusalDecision =
  /** Send the same batch again after a pause. With `counted` this refusal counts against the batch. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly counted: boolean }
  /** Halve the batch, in case one of its devices is the reason. */
  | { readonly kind: 'split' }
  | SearchDecision
  /** The reason is what all moves of the route share: the route is held, and no move spends an attempt. */
  | { readonly kind: 'hold-route' }
  /** A human has to look: the code is unrecognised and nothing else has helped. */
  | { readonly kind: 'hold' }
  /** Nothing can be created in this account at present. No move spends an attempt. */
  | { readonly kind: 'wait-for-account' }

/**
 * Decides what to do after a refusal. `random` gives a number from 0 up to 1.
 *
 * An unrecognised code never fails a move, because it may stand for a limit of the account. The batch is sent again
 * while no other batch is created either, and is halved once others are. A batch that cannot be halved is held.
 */
export const decideOnRefusal = (
  refusal: Refusal,
  policy: RefusalPolicy,
  random: () => number,
): RefusalDecision => {
  switch (refusal.kind) {
    case 'throttled':
    case 'slots-full':
    case 'not-sent':
      return {
        kind: 'again',
        afterMs: retryDelayMs(refusal.inARow, random(), policy.harmless),
        counted: false,
      }
    case 'account-refused':
      return { kind: 'wait-for-account' }
    case 'unknown': {
      const refusals = refusal.refusals + 1
      if (refusals < patienceWith(refusal, policy))
        return { kind: 'again', afterMs: retryDelayMs(refusals, random(), policy.unknown), counted: true }
      return canHalve(refusal, policy) ? { kind: 'split' } : { kind: 'hold' }
    }
    case 'batch-refused':
      if (refusal.concernsRoute) return { kind: 'hold-route' }
      return decideOnPiece(refusal.search, refusal.devices, random)
  }
}

/** Refusals with unknown codes after which the batch is no longer sent again as it is. There may be no such limit. */
const patienceWith = (refusal: Refusal, { maxRefusals }: RefusalPolicy): number => {
  if (refusal.othersCreated) return maxRefusals
  return refusal.aloneInAccount ? 2 * maxRefusals : Number.POSITIVE_INFINITY
}

const canHalve = (refusal: Refusal, policy: RefusalPolicy): boolean =>
  refusal.devices >= 2 && !refusal.concernsRoute && refusal.splitRootRefusals + 1 < policy.splitBudget

export interface HalvedBatch {
  readonly first: readonly BatchMove[]
  /** The moves from the first device that is not in `first` on, without those in `behind`. */
  readonly second: readonly BatchMove[]
  /**
   * Later moves of devices that `first` sends, which wait for it because a device is in one job at a time. The key is
   * the position of the move, the value the position of the last move of its device in `first`.
   */
  readonly behind: ReadonlyMap<bigint, bigint>
}

/** Cuts a batch so that each side has half of its devices. Throws if the batch has only one device. */
export const halveBatch = (moves: readonly BatchMove[]): HalvedBatch => {
  const names = [...new Set(moves.map(move => move.deviceName))]
  const firstOfSecond = names[Math.ceil(names.length / 2)]
  if (firstOfSecond === undefined) throw new Error('a batch of one device cannot be halved')
  const cut = moves.findIndex(move => move.deviceName === firstOfSecond)
  const first = moves.slice(0, cut)
  const rest = moves.slice(cut)
  const lastOf = new Map(first.map(move => [move.deviceName, move.seq]))
  const behind = new Map<bigint, bigint>()
  for (const { seq, deviceName } of rest) {
    const before = lastOf.get(deviceName)
    if (before !== undefined) behind.set(seq, before)
  }
  return { first, second: rest.filter(move => !behind.has(move.seq)), behind }
}

/**
 * Codes that concern what all moves of a route share: product, instances or account (error codes of the provider's
 * documentation, page 87387). Sending fewer devices cannot help. `iot.common.AuthActionPermissionDeny` is not among
 * them, since it names a device of another account.
 */
const routeCodes: readonly RegExp[] = [
  /^iot\.prod\./i,
  /^iot\.system\./i,
  /^iot\.sre\./i,
  /^iot\.common\.apinotsupportedininstance$/i,
]

/** True if a code concerns the whole route. For other codes, a search may find the devices that cause it. */
export const concernsRoute = (code: string): boolean => routeCodes.some(pattern => pattern.test(code))
