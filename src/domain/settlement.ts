import type { BatchMove } from './job'
import type { Fate } from './look-up'
import type { Verdict } from './outcome'
import { type BackoffPolicy, retryDelayMs } from './retry-policy'

/** What the provider's result file says of one device. */
export interface DeviceResult {
  readonly code: string
  readonly message: string | null
}

/** What a device's code means. `unknown`: in no table; never guessed permanent. */
export type CodeClass = 'moved' | 'permanent' | 'retryable' | 'unknown'

export interface AttemptPolicy extends BackoffPolicy {
  /** Attempts per move, the first included. */
  readonly maxAttempts: number
}

export interface SettlementInput {
  readonly moves: readonly BatchMove[]
  /** By device name. Rows of devices that are in no move are ignored. */
  readonly rows: ReadonlyMap<string, DeviceResult>
  /** By device name: what looking up devices without a row has told. */
  readonly fates: ReadonlyMap<string, Fate>
  readonly ended: 'completed' | 'interrupted'
  readonly policy: AttemptPolicy
  readonly classify: (code: string) => CodeClass
  /** 0 up to 1. */
  readonly random: () => number
}

export interface Settlement {
  /** One for each move, in the order of the moves. */
  readonly verdicts: readonly Verdict[]
  /** Moves whose device has no row. */
  readonly unaccounted: number
}

const FOUND_MOVED = 'The job did not report on this device. It was looked up, and is at its target.'
const FOUND_ELSEWHERE = 'The job did not report on this device. It was looked up, and is not at its target.'
const INTERRUPTED = 'The job was interrupted before it reported on this device.'
const UNACCOUNTED =
  'The job completed without reporting on this device. It may have moved: check where it is before sending it again.'

const failedFor = (
  move: BatchMove,
  code: string,
  message: string | null,
  retryInMs: number | null,
): Verdict => ({
  seq: move.seq,
  outcome: 'failed',
  final: retryInMs === null,
  code,
  message,
  retryInMs,
})

const moved = (move: BatchMove, message: string | null): Verdict => ({
  seq: move.seq,
  outcome: 'moved',
  final: true,
  code: '200',
  message,
  retryInMs: null,
})

/**
 * Decides how each move of an ended job ended. Codes that may work another time, interruptions, and devices found not
 * to have moved are re-queued while attempts last. A device that a completed job does not mention, and that looking
 * it up has not told of, is final: nobody knows whether it moved.
 */
export const deriveVerdicts = (input: SettlementInput): Settlement => {
  const { rows, fates, ended, policy, classify } = input
  // One draw a job, so that what failed together comes due together and can share a batch again.
  const random = input.random()
  let unaccounted = 0

  const again = (move: BatchMove): number | null =>
    move.attempt < policy.maxAttempts ? retryDelayMs(move.attempt, random, policy) : null

  const withoutRow = (move: BatchMove): Verdict => {
    unaccounted += 1
    const fate = fates.get(move.deviceName)
    if (fate === 'moved') return moved(move, FOUND_MOVED)
    if (ended === 'interrupted') return failedFor(move, 'interrupted', INTERRUPTED, again(move))
    if (fate === 'elsewhere') return failedFor(move, 'not-moved', FOUND_ELSEWHERE, again(move))
    return failedFor(move, 'unknown', UNACCOUNTED, null)
  }

  const withRow = (move: BatchMove, { code, message }: DeviceResult): Verdict => {
    switch (classify(code)) {
      case 'moved':
        return moved(move, null)
      case 'permanent':
        return failedFor(move, code, message, null)
      case 'retryable':
      case 'unknown':
        return failedFor(move, code, message, again(move))
    }
  }

  const verdicts = input.moves.map(move => {
    const row = rows.get(move.deviceName)
    return row === undefined ? withoutRow(move) : withRow(move, row)
  })
  return { verdicts, unaccounted }
}

/** A batch refused for good: every move has failed, finally. */
export const refusedVerdicts = (
  moves: readonly BatchMove[],
  code: string,
  message: string | null,
): readonly Verdict[] => moves.map(move => failedFor(move, code, message, null))

/** Throws unless `verdicts` covers every position of the job, once: anything else would lose or double a move. */
export const checkVerdicts = (
  batchId: number,
  seqs: readonly bigint[],
  verdicts: readonly Verdict[],
): void => {
  const open = new Set(seqs)
  for (const { seq, outcome, final, retryInMs } of verdicts) {
    if (!open.delete(seq))
      throw new Error(`job ${batchId}: verdict for position ${seq}, which is not open in it`)
    if (!final && outcome === 'moved')
      throw new Error(`job ${batchId}: position ${seq} moved, but not for good`)
    if (final !== (retryInMs === null))
      throw new Error(`job ${batchId}: position ${seq} needs a delay or an end`)
  }
  if (open.size > 0) throw new Error(`job ${batchId}: ${open.size} of ${seqs.length} moves without a verdict`)
}
