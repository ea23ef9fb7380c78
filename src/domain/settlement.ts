import type { CodeClass, DeviceResult } from './device-results'
import type { BatchMove } from './job'
import type { Fate } from './look-up'
import type { Verdict } from './outcome'
import { type BackoffPolicy, retryDelayMs } from './retry-policy'

/**
 * How each move of a job ends: from the result file, from looking devices up, by the refusal of its batch, or by an
 * operator who sends its devices again.
 */

/** Limits of the attempts of a move, and the pauses between them. */
export interface AttemptPolicy extends BackoffPolicy {
  /** Attempts per move, the first included. */
  readonly maxAttempts: number
}

export interface SettlementInput {
  readonly moves: readonly BatchMove[]
  /** Rows of the result files by device name. Rows of devices that are in no move are ignored. */
  readonly rows: ReadonlyMap<string, DeviceResult>
  /** What looking up devices without a row has shown, by device name. */
  readonly fates: ReadonlyMap<string, Fate>
  readonly ended: 'completed' | 'interrupted'
  readonly policy: AttemptPolicy
  readonly classify: (code: string) => CodeClass
  /** Gives a number from 0 up to 1. */
  readonly random: () => number
}

export interface Settlement {
  /** One verdict for each move, in the order of the moves. */
  readonly verdicts: readonly Verdict[]
  /** Number of moves whose device has no row. */
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
 * Decides how each move of an ended job ended. A move is re-queued while attempts last if its code is not permanent, if
 * its device was looked up and is not at its target, or if the job was interrupted without a row for it. A device
 * without a row in a completed job fails for good unless looking it up has shown where it is, because it may have
 * moved.
 */
export const deriveVerdicts = (input: SettlementInput): Settlement => {
  const { rows, fates, ended, policy, classify } = input
  // One random number for the whole job: moves that failed together come due together and can share a batch again.
  const random = input.random()
  let unaccounted = 0

  /** Delay until the next attempt, ms; null when the attempts are used up. */
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

/** The verdicts of a batch that is refused for good: every move fails finally, with the code of the refusal. */
export const refusedVerdicts = (
  moves: readonly BatchMove[],
  code: string,
  message: string | null,
): readonly Verdict[] => moves.map(move => failedFor(move, code, message, null))

/** How many of the moves moved, failed for good, and are tried again. */
export const countsOf = (verdicts: readonly Verdict[]) => {
  const moved = verdicts.filter(verdict => verdict.outcome === 'moved').length
  const retried = verdicts.filter(verdict => !verdict.final).length
  return { moved, retried, failed: verdicts.length - moved - retried }
}

const SENT_AGAIN =
  'The job did not report on this device. An operator had it sent again without looking it up.'

/** The verdicts of an operator who has the open devices of an ended job sent again, while attempts last. */
export const resentVerdicts = (
  moves: readonly BatchMove[],
  ended: 'completed' | 'interrupted',
  maxAttempts: number,
): readonly Verdict[] =>
  moves.map(move =>
    failedFor(
      move,
      ended === 'interrupted' ? 'interrupted' : 'unknown',
      SENT_AGAIN,
      move.attempt < maxAttempts ? 0 : null,
    ),
  )

/**
 * Throws unless each verdict is for another of the open positions of the job and has either an end or a delay. Anything
 * else would send a move twice. Returns how many positions stay open. Positions are sequence numbers in the route's log.
 */
export const checkVerdicts = (
  batchId: number,
  seqs: readonly bigint[],
  verdicts: readonly Verdict[],
): number => {
  const open = new Set(seqs)
  for (const { seq, outcome, final, retryInMs } of verdicts) {
    if (!open.delete(seq))
      throw new Error(`job ${batchId}: position ${seq} has two verdicts or is not a position of the job`)
    if (!final && outcome === 'moved')
      throw new Error(`job ${batchId}: position ${seq} has moved, but its verdict is not final`)
    if (final !== (retryInMs === null))
      throw new Error(`job ${batchId}: position ${seq} has to be final or to have a delay, not both`)
  }
  return open.size
}

/** Throws if moves of a job have no verdict although none is to stay open. They would be lost. */
export const checkAllSettled = (batchId: number, open: number): void => {
  if (open > 0) throw new Error(`job ${batchId}: ${open} moves have no verdict`)
}
