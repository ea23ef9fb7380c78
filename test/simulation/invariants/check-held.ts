import type { FaultKind } from '../faults'
import type { World } from '../world'

/** The reasons for which a job may be held, each with the faults of which one has to have happened. */
const justified: readonly (readonly [RegExp, readonly FaultKind[]])[] = [
  [/several listed jobs could be it/, ['look-alike in the list']],
  [
    /no results could be read/,
    [
      'job forgotten',
      'file late',
      'file unreadable',
      'row missing',
      'row missing, device moved',
      'job interrupted',
    ],
  ],
  [/List does not show job/, ['job forgotten']],
  [/InstanceNotFound/, ['route refused']],
  [/drawn at random/, ['many bad devices', 'batch refused']],
  [/refused again and again/, ['code unknown', 'slots full, code unknown']],
]

/** No job is held without need. */
export const checkHeld = ({ journal, faults, violations }: World): void => {
  for (const { batchId, heldBecause } of journal.store.unfinished) {
    if (heldBecause === null) continue
    const needs = justified.find(([pattern]) => pattern.test(heldBecause))?.[1] ?? []
    if (!needs.some(kind => faults.counts.has(kind)))
      violations.broken('no job is held without need', `job ${batchId}: ${heldBecause}`)
  }
}
