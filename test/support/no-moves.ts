import type { Conservation } from '../../src/postgres/status/conservation'

/** The counts of an empty journal. */
export const noMoves: Conservation = {
  accepted: 0,
  moved: 0,
  failed: 0,
  rejected: 0,
  superseded: 0,
  duplicate: 0,
  pending: 0,
  in_flight: 0,
  retrying: 0,
  held: 0,
  gap: 0,
}
