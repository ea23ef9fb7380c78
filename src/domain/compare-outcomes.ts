import type { BatchMove } from './job'
import type { Verdict } from './outcome'

/** The comparison of a job's stored outcomes with those that are derived from the same evidence again. */

/**
 * What is compared of how a move ended. Delays are left out because they are random, messages because they are text.
 */
export interface Ending {
  readonly outcome: 'moved' | 'failed'
  readonly final: boolean
  readonly code: string
}

export interface Difference {
  readonly deviceName: string
  readonly attempt: number
  /** null: no outcome is stored. */
  readonly stored: Ending | null
  readonly derived: Ending
}

/** How many moves have this ending by the stored outcomes, and how many by the derived ones. */
export interface EndingCount extends Ending {
  readonly stored: number
  readonly derived: number
}

export interface Comparison {
  /** One for each ending: moved first, then by code. */
  readonly counts: readonly EndingCount[]
  /** In the order of the moves. */
  readonly differences: readonly Difference[]
}

const endingOf = ({ outcome, final, code }: Ending): Ending => ({ outcome, final, code })
/** Equal for equal endings. Keys sort moved before failed, then by code. */
const keyOf = ({ outcome, final, code }: Ending): string => `${outcome === 'moved' ? 0 : 1} ${code} ${final}`

const countBy = (endings: readonly Ending[]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const ending of endings) counts.set(keyOf(ending), (counts.get(keyOf(ending)) ?? 0) + 1)
  return counts
}

/**
 * Compares the stored outcomes of a job with `derived`, which has one verdict for each move. Throws if one is missing.
 */
export const compareOutcomes = (
  moves: readonly BatchMove[],
  stored: readonly (Ending & Pick<Verdict, 'seq'>)[],
  derived: readonly Verdict[],
): Comparison => {
  const storedAt = new Map(stored.map(outcome => [outcome.seq, outcome]))
  const derivedAt = new Map(derived.map(verdict => [verdict.seq, verdict]))
  const differences = moves.flatMap(({ seq, deviceName, attempt }): Difference[] => {
    const [before, now] = [storedAt.get(seq), derivedAt.get(seq)]
    if (now === undefined) throw new Error(`no outcome was derived for position ${seq}`)
    if (before !== undefined && keyOf(before) === keyOf(now)) return []
    return [
      {
        deviceName,
        attempt,
        stored: before === undefined ? null : endingOf(before),
        derived: endingOf(now),
      },
    ]
  })
  const [inStored, inDerived] = [countBy(stored), countBy(derived)]
  const kinds = new Map([...stored, ...derived].map(ending => [keyOf(ending), endingOf(ending)]))
  const counts = [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, ending]) => ({
      ...ending,
      stored: inStored.get(key) ?? 0,
      derived: inDerived.get(key) ?? 0,
    }))
  return { counts, differences }
}
