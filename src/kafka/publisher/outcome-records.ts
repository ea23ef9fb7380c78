/** The records that outcomes become, and the stub of one that is too large. */
import type { Outcome } from '../../domain/outcome'
import type { OutgoingRecord } from './partitioned-batches'

/** Makes the records of one outcome. It is pure, and the domain's. */
export type EncodeOutcome = (outcome: Outcome) => {
  readonly result: OutgoingRecord
  readonly deadLetter: OutgoingRecord | null
}

/** A record with the outcome it was made from. */
export interface OutcomeRecord extends OutgoingRecord {
  readonly outcome: Outcome
}

export const outcomeRecords = (
  outcomes: readonly Outcome[],
  encode: EncodeOutcome,
): { readonly results: readonly OutcomeRecord[]; readonly deadLetters: readonly OutcomeRecord[] } => {
  const results: OutcomeRecord[] = []
  const deadLetters: OutcomeRecord[] = []
  for (const outcome of outcomes) {
    const { result, deadLetter } = encode(outcome)
    results.push({ ...result, outcome })
    if (deadLetter !== null) deadLetters.push({ ...deadLetter, outcome })
  }
  return { results, deadLetters }
}

const shortHeaderBytes = 256

/**
 * Replaces a record that is larger than the broker takes. The value says so and gives the outcome. The key and the short
 * headers stay, so that the record is routed and recognised like any other.
 */
export const tooLargeStub = ({ key, headers, outcome }: OutcomeRecord): OutgoingRecord => ({
  key,
  headers: Object.fromEntries(
    Object.entries(headers).filter(([, value]) => value.length <= shortHeaderBytes),
  ),
  value: JSON.stringify({
    id: outcome.id,
    error: 'record_too_large',
    requestId: outcome.requestId.slice(0, shortHeaderBytes),
    outcome: outcome.outcome,
    final: outcome.final,
    code: outcome.code,
  }),
})
