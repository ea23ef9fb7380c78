import type { BatchMove } from './job'
import { type BackoffPolicy, retryDelayMs } from './retry-policy'

/**
 * Why a create was refused as a whole. `throttled`, `slots-full`, `not-sent`: harmless. `unknown`: a code no table
 * knows. `batch-refused`, `account-refused`: permanent. (A create without an answer is not refused: reconcile it.)
 */
export type RefusalKind =
  | 'throttled'
  | 'slots-full'
  | 'not-sent'
  | 'batch-refused'
  | 'account-refused'
  | 'unknown'

export interface RefusalPolicy {
  /** After so many refusals with unknown codes it may be the batch itself that is wrong. */
  readonly maxRefusals: number
  /** Refused creates that may be spent on finding the bad devices of one batch; up to as many more succeed. */
  readonly splitBudget: number
  /** Pauses after harmless refusals. */
  readonly harmless: BackoffPolicy
  /** Pauses after unknown codes. Longer: it may be a limit that only time lifts. */
  readonly unknown: BackoffPolicy
}

export const defaultRefusalPolicy: RefusalPolicy = {
  maxRefusals: 5,
  splitBudget: 40,
  harmless: { backoffMs: 1_000, backoffMaxMs: 30_000 },
  unknown: { backoffMs: 10_000, backoffMaxMs: 300_000 },
}

export interface Refusal {
  readonly kind: RefusalKind
  /** The code concerns the route (product, instance, target account), not a device: halving cannot help. */
  readonly concernsRoute: boolean
  /** Counted refusals of this batch before this one, the batches it was split from included. */
  readonly refusals: number
  /** Harmless refusals of this batch in a row, this one included: 1, 2, … */
  readonly inARow: number
  /**
   * Counted refusals of the whole family of batches split from the same one, before this one: siblings and cousins
   * too. `refusals` alone cannot bound the halving: no batch has more than 14 ancestors, but 10,000 bad devices
   * would cost 20,000 creates.
   */
  readonly splitRootRefusals: number
  /** Distinct devices in the batch. */
  readonly devices: number
  /** Another batch was created since this one was first refused: the account can create, so it is this batch. */
  readonly othersCreated: boolean
  /** No other job is open in the account, as far as is known: it is no limit on those. */
  readonly aloneInAccount: boolean
}

export type RefusalDecision =
  /** Send the same batch again after a pause. `counted`: it counts as a refusal of the batch. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly counted: boolean }
  /** Halve it: one bad device must not cost the others. */
  | { readonly kind: 'split' }
  /** Every device of the batch has failed, finally. */
  | { readonly kind: 'fail' }
  /** A human has to look: no table knows why it is refused, and nothing else helped. */
  | { readonly kind: 'hold' }
  /** Nothing can be created in this account for now. Costs no device an attempt. */
  | { readonly kind: 'wait-for-account' }

/**
 * What to do with a batch whose create was refused as a whole. `random` is 0 up to 1. an unrecognised code may
 * stand for a limit of the account, so it fails nothing: the batch is sent again while no other one is created
 * either, and halved once others are; what cannot be halved is for a human.
 */
export const decideOnRefusal = (refusal: Refusal, policy: RefusalPolicy, random: number): RefusalDecision => {
  switch (refusal.kind) {
    case 'throttled':
    case 'slots-full':
    case 'not-sent':
      return { kind: 'again', afterMs: retryDelayMs(refusal.inARow, random, policy.harmless), counted: false }
    case 'account-refused':
      return { kind: 'wait-for-account' }
    case 'unknown': {
      const refusals = refusal.refusals + 1
      if (refusals < patienceWith(refusal, policy))
        return { kind: 'again', afterMs: retryDelayMs(refusals, random, policy.unknown), counted: true }
      return canHalve(refusal, policy) ? { kind: 'split' } : { kind: 'hold' }
    }
    case 'batch-refused':
      return canHalve(refusal, policy) ? { kind: 'split' } : { kind: 'fail' }
  }
}

/** Counted refusals with unknown codes after which the batch itself is taken to be the reason. */
const patienceWith = (refusal: Refusal, { maxRefusals }: RefusalPolicy): number => {
  if (refusal.othersCreated) return maxRefusals
  return refusal.aloneInAccount ? 2 * maxRefusals : Number.POSITIVE_INFINITY
}

const canHalve = (refusal: Refusal, policy: RefusalPolicy): boolean =>
  refusal.devices >= 2 && !refusal.concernsRoute && refusal.splitRootRefusals + 1 < policy.splitBudget

export interface HalvedBatch {
  readonly first: readonly BatchMove[]
  /** From the first name that is not in `first` on. Its moves in `behind` are not part of its job. */
  readonly second: readonly BatchMove[]
  /** Later moves of devices that `first` sends: they wait for it, since a device is in one job at a time. */
  readonly behind: ReadonlyMap<bigint, bigint>
}

/** Cuts a batch so that each side has half of its devices. Throws when there is only one. */
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
 * Codes that speak of what all moves of a route share: its product, instances, account or permissions (error codes
 * of the provider's documentation, page 87387). Sending fewer devices cannot cure them.
 */
const routeCodes: readonly RegExp[] = [
  /^iot\.prod\./i,
  /^iot\.system\./i,
  /^iot\.sre\./i,
  /^iot\.common\.\w*deny$/i,
]

/** False for device codes and for codes in no table: there halving a batch may find the culprit. */
export const concernsRoute = (code: string): boolean => routeCodes.some(pattern => pattern.test(code))
