/**
 * What becomes of each move of a range that is being claimed. "Acceptance" is a move's place in the order in which
 * moves were taken in, and names it across its attempts.
 */

/** A move of the range. */
export interface ClaimedMove {
  readonly acceptedOrder: bigint
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
  /** The acceptance that it waits for in the re-queue of the range's own route; null if it does not wait there. */
  readonly waitsFor: bigint | null
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
  a.acceptedOrder < b.acceptedOrder ? -1 : a.acceptedOrder > b.acceptedOrder ? 1 : 0

/** Sent at least once: of a set of repeats this one survives, whatever its order. */
const hasStarted = ({ state, attempt }: OtherMove): boolean =>
  state === 'in-flight' || state === 'finished' || (state === 'unfinished' && attempt > 1)

/**
 * Of repeats exactly one survives: the one that has been sent, else the earliest. (Transactions become visible in
 * any order, so a later one may have been sent before the earliest was there to be seen.)
 */
const repeatsAmong = (
  moves: readonly ClaimedMove[],
  others: readonly OtherMove[],
): ((move: ClaimedMove) => boolean) => {
  const started = new Set<string>()
  const earliest = new Map<string, bigint>()
  const note = ({ requestId, acceptedOrder }: ClaimedMove, isStarted: boolean): void => {
    if (isStarted) started.add(requestId)
    const known = earliest.get(requestId)
    if (known === undefined || acceptedOrder < known) earliest.set(requestId, acceptedOrder)
  }
  for (const other of others) note(other, hasStarted(other))
  for (const move of moves) note(move, move.attempt > 1)
  return ({ attempt, requestId, acceptedOrder }) =>
    attempt === 1 && (started.has(requestId) || (earliest.get(requestId) ?? acceptedOrder) < acceptedOrder)
}

/**
 * What a move waits for, asked in the order of acceptance: null if it may be sent. Its nearest predecessor, so that
 * each ending wakes one move, not all of them. But with a predecessor that itself waits and is of the same route it
 * waits for the same: the two are woken together and share a job, as they would have in one range. `behind`: what it
 * waits for if for nothing of the others.
 */
const queueBehind = (
  others: readonly OtherMove[],
): ((move: ClaimedMove, behind: bigint | null) => bigint | null) => {
  const inFlight = others.find(({ state }) => state === 'in-flight') ?? null
  const unfinished = others.filter(({ state }) => state === 'unfinished').sort(byAcceptance)
  let next = 0
  let predecessor: Pick<OtherMove, 'acceptedOrder' | 'waitsFor'> | null = null
  return ({ acceptedOrder }, behind) => {
    let other = unfinished[next]
    while (other !== undefined && other.acceptedOrder < acceptedOrder) {
      if (predecessor === null || predecessor.acceptedOrder < other.acceptedOrder) predecessor = other
      next += 1
      other = unfinished[next]
    }
    const waitsFor: bigint | null =
      predecessor?.waitsFor ?? predecessor?.acceptedOrder ?? inFlight?.acceptedOrder ?? behind
    if (waitsFor !== null) predecessor = { acceptedOrder, waitsFor }
    return waitsFor
  }
}

/**
 * One device: its moves of the range, and its others. Those sent together stand in the order of acceptance, since a
 * batch that is halved carries out what stands in front first.
 */
const decide = (moves: readonly ClaimedMove[], others: readonly OtherMove[]): Map<bigint, ClaimDecision> => {
  const decisions = new Map<bigint, ClaimDecision>()
  const isRepeat = repeatsAmong(moves, others)
  const waitsBehind = queueBehind(others)
  const places = new Map(moves.map((move, place) => [move, place]))
  let last: { readonly acceptedOrder: bigint; readonly place: number } | null = null
  for (const move of [...moves].sort(byAcceptance)) {
    if (isRepeat(move)) {
      decisions.set(move.acceptedOrder, duplicate)
      continue
    }
    const place = places.get(move) ?? 0
    const waitsFor = waitsBehind(move, last !== null && place < last.place ? last.acceptedOrder : null)
    if (waitsFor === null) last = { acceptedOrder: move.acceptedOrder, place }
    decisions.set(move.acceptedOrder, waitsFor === null ? send : { kind: 'wait', waitsFor })
  }
  return decisions
}

/**
 * Decides for each move of `range`, in its order. `others` holds every other acceptance of the range's devices that
 * is unfinished, in flight, or of the same request; none of the range itself. A device is sent by one job at a time
 * and its requests in the order of their acceptance; two of them that stand in it in one range are sent together.
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
      decisions.set(only.acceptedOrder, send)
    else
      for (const [acceptedOrder, decision] of decide(moves, otherMoves ?? []))
        decisions.set(acceptedOrder, decision)
  }
  return range.map(move => decisions.get(move.acceptedOrder) ?? send)
}
