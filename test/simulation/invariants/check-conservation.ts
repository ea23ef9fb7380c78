import type { World } from '../world'

/** At any moment every accepted move is in exactly one place. */
export const checkConservation = ({ journal, violations }: World): void => {
  const counts = journal.recount()
  if (counts.gap !== 0) violations.broken('conservation: the gap is 0', JSON.stringify(counts))
  const negative = Object.entries(counts).find(([, count]) => count < 0)
  if (negative !== undefined) violations.broken('conservation: no count is negative', JSON.stringify(counts))
}
