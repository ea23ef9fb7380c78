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
  /** After so many refusals with unknown codes a batch is treated as refused for good. */
  readonly maxRefusals: number
  /** Refused creates that may be spent on finding the bad devices of one batch; up to as many more succeed. */
  readonly splitBudget: number
  /** Pauses after harmless refusals. */
  readonly harmless: BackoffPolicy
  /** Pauses after unknown codes. Longer: it may be a limit that only time lifts. */
  readonly unknown: BackoffPolicy
  /** How long nothing is created once the account has been refused, ms. */
  readonly accountPauseMs: number
}

export const defaultRefusalPolicy: RefusalPolicy = {
  maxRefusals: 5,
  splitBudget: 40,
  harmless: { backoffMs: 1_000, backoffMaxMs: 30_000 },
  unknown: { backoffMs: 10_000, backoffMaxMs: 300_000 },
  accountPauseMs: 60_000,
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
  readonly familyRefusals: number
  /** Distinct devices in the batch. */
  readonly devices: number
}

export type RefusalDecision =
  /** Send the same batch again after a pause. `counted`: it counts as a refusal of the batch. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly counted: boolean }
  /** Halve it: one bad device must not cost the others. */
  | { readonly kind: 'split' }
  /** Every device of the batch has failed, finally. */
  | { readonly kind: 'fail' }
  /** Nothing can be created in this account: say so, create nothing for a while. Costs no device an attempt. */
  | { readonly kind: 'stop-driving'; readonly forMs: number }

/** What to do with a batch whose create was refused as a whole. `random` is 0 up to 1. */
export const decideOnRefusal = (refusal: Refusal, policy: RefusalPolicy, random: number): RefusalDecision => {
  switch (refusal.kind) {
    case 'throttled':
    case 'slots-full':
    case 'not-sent':
      return { kind: 'again', afterMs: retryDelayMs(refusal.inARow, random, policy.harmless), counted: false }
    case 'account-refused':
      return { kind: 'stop-driving', forMs: policy.accountPauseMs }
    case 'unknown': {
      const refusals = refusal.refusals + 1
      return refusals < policy.maxRefusals
        ? { kind: 'again', afterMs: retryDelayMs(refusals, random, policy.unknown), counted: true }
        : decideOnBatch(refusal, policy)
    }
    case 'batch-refused':
      return decideOnBatch(refusal, policy)
  }
}

const decideOnBatch = (refusal: Refusal, policy: RefusalPolicy): RefusalDecision => {
  const canHelp = refusal.devices >= 2 && !refusal.concernsRoute
  return canHelp && refusal.familyRefusals + 1 < policy.splitBudget ? { kind: 'split' } : { kind: 'fail' }
}
