/**
 * What becomes of each move of a range that is being claimed. "Acceptance" is a move's place in the order in which
 * moves were taken in, and names it across its attempts.
 */

/** A move of the range. */
export interface ClaimedMove {
  readonly accepted: bigint
  readonly deviceName: string
  readonly requestId: string
  /** 1-based. Above 1 it has been sent before. */
  readonly attempt: number
}

/**
 * `unfinished`: pending in a log or waiting in the re-queue. `in-flight`: in a job that is not settled.
 * `finished`: has its final outcome. `duplicate`: was found to be a repeat.
 */
export type OtherState = 'unfinished' | 'in-flight' | 'finished' | 'duplicate'

/** Another acceptance of a device of the range (same product), outside the range. */
export interface OtherMove extends ClaimedMove {
  readonly state: OtherState
}

export type ClaimDecision =
  | { readonly kind: 'send' }
  /** A repeat: the same request and device was taken in before, or has been sent already. */
  | { readonly kind: 'duplicate' }
  /** Back to the re-queue until an attempt of that acceptance has ended. */
  | { readonly kind: 'wait'; readonly waitsFor: bigint }

const send: ClaimDecision = { kind: 'send' }
const duplicate: ClaimDecision = { kind: 'duplicate' }

const byDevice = <M extends ClaimedMove>(moves: readonly M[]): Map<string, M[]> => {
  const groups = new Map<string, M[]>()
  for (const move of moves) {
    const group = groups.get(move.deviceName)
    if (group === undefined) groups.set(move.deviceName, [move])
    else group.push(move)
  }
  return groups
}

const byAcceptance = (a: ClaimedMove, b: ClaimedMove): number =>
  a.accepted < b.accepted ? -1 : a.accepted > b.accepted ? 1 : 0

/** Sent at least once: of a set of repeats this one survives, whatever its order. */
const hasStarted = (other: OtherMove): boolean =>
  other.state === 'in-flight' ||
  other.state === 'finished' ||
  (other.state === 'unfinished' && other.attempt > 1)

/**
 * Of repeats exactly one survives: the one that has been sent, else the earliest. (Transactions become visible in
 * any order, so a later one may have been sent before the earliest was there to be seen.)
 */
const isRepeat = (move: ClaimedMove, others: readonly OtherMove[]): boolean =>
  move.attempt === 1 &&
  others.some(
    other => other.requestId === move.requestId && (hasStarted(other) || other.accepted < move.accepted),
  )

/** One device: its moves of the range, and its others. */
const decide = (moves: readonly ClaimedMove[], others: readonly OtherMove[]): Map<bigint, ClaimDecision> => {
  const decisions = new Map<bigint, ClaimDecision>()
  const asOther = (move: ClaimedMove): OtherMove => ({ ...move, state: 'unfinished' })
  const survivors: ClaimedMove[] = []
  for (const move of [...moves].sort(byAcceptance)) {
    const mates = moves.filter(mate => mate.accepted !== move.accepted).map(asOther)
    if (isRepeat(move, [...others, ...mates])) decisions.set(move.accepted, duplicate)
    else survivors.push(move)
  }
  const inFlight = others.find(other => other.state === 'in-flight')
  const unfinished: ClaimedMove[] = others.filter(other => other.state === 'unfinished')
  for (const move of survivors) {
    // Its nearest predecessor: that one waits for those before it, so each ending wakes one move, not all of them.
    const predecessor = unfinished
      .filter(other => other.accepted < move.accepted)
      .sort(byAcceptance)
      .at(-1)
    const waitsFor = predecessor?.accepted ?? inFlight?.accepted
    decisions.set(move.accepted, waitsFor === undefined ? send : { kind: 'wait', waitsFor })
    if (waitsFor !== undefined) unfinished.push(move)
  }
  return decisions
}

/**
 * Decides for each move of `range`, in its order. `others` holds every other acceptance of the range's devices that
 * is unfinished, in flight, or of the same request; none of the range itself. A device is sent by one job at a time
 * and its requests in the order of their acceptance; two of them in one range are sent together.
 */
export const applyClaimRules = (
  range: readonly ClaimedMove[],
  others: readonly OtherMove[],
): ClaimDecision[] => {
  const othersOf = byDevice(others)
  const decisions = new Map<bigint, ClaimDecision>()
  for (const [deviceName, moves] of byDevice(range)) {
    const [only] = moves
    const otherMoves = othersOf.get(deviceName)
    // The common case, 10,000 times a batch.
    if (otherMoves === undefined && moves.length === 1 && only !== undefined)
      decisions.set(only.accepted, send)
    else for (const [accepted, decision] of decide(moves, otherMoves ?? [])) decisions.set(accepted, decision)
  }
  return range.map(move => decisions.get(move.accepted) ?? send)
}
