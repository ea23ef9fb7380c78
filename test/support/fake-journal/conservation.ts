import type { RouteLog, Store } from './store'

export type Conservation = Readonly<
  Record<
    | 'accepted'
    | 'moved'
    | 'failed'
    | 'rejected'
    | 'superseded'
    | 'duplicate'
    | 'pending'
    | 'in_flight'
    | 'retrying'
    | 'held'
    | 'gap',
    number
  >
>

type Place = keyof Omit<Conservation, 'accepted' | 'rejected' | 'gap'>

const waitingAs = (held: boolean, attempt: number): Place =>
  held ? 'held' : attempt === 1 ? 'pending' : 'retrying'

/** Under which count one row of a log falls; null if its move is counted elsewhere. */
const placeOf = (
  route: RouteLog,
  seq: number,
  attempt: number,
  isHeld: (seq: number) => boolean,
): Place | null => {
  const leftOut = route.leftOut.get(seq)
  if (leftOut !== undefined) return leftOut === 'duplicate' ? 'duplicate' : null
  const outcome = route.outcomes.get(seq)
  if (outcome !== undefined) return outcome.final ? outcome.outcome : null
  if (seq > route.claimed) return waitingAs(route.heldBecause !== null, attempt)
  return isHeld(seq) ? 'held' : 'in_flight'
}

/** Where every accepted move is, recounted from the rows. It says what the view `conservation` says. */
export const recount = (store: Store): Conservation => {
  const rejected = store.rejections.size
  const repeated = store.counters.repeatedRejections
  const sum = {
    moved: 0,
    failed: 0,
    superseded: 0,
    duplicate: repeated,
    pending: 0,
    in_flight: 0,
    retrying: 0,
    held: 0,
  }
  const heldJobs = [...store.unfinished].filter(job => job.heldBecause !== null)
  let accepted = rejected + repeated
  for (const route of store.routes.values()) {
    accepted += route.accepted
    const held = new Set(heldJobs.filter(job => job.route === route).flatMap(job => job.seqs))
    route.moves.forEach((move, index) => {
      const place = placeOf(route, index + 1, move.attempt, seq => held.has(seq))
      if (place !== null) sum[place] += 1
    })
  }
  for (const { route, attempt } of store.requeue) sum[waitingAs(route.heldBecause !== null, attempt)] += 1
  const placed = Object.values(sum).reduce((a, b) => a + b, rejected)
  return { accepted, rejected, ...sum, gap: accepted - placed }
}
