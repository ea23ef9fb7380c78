/** What one driver remembers of claims that ran into a time limit. Nothing of this runs while claims take their usual time. */
import { asyncScheduler } from 'rxjs'
import { afterSuccess, afterTimeLimit, type ClaimSize } from '../../domain/claim-size'
import { codeOf, messageOf } from '../../domain/error-text'
import { TransientError } from '../../ports/errors'

/** By route id, or by a part of the re-queue: those that are claimed in smaller steps. */
export type SmallerClaims = Map<number, ClaimSize>

/** In place of a route id: the moves of the re-queue that are due, and those that wait for a move that has ended. */
export const dueMoves = 0
export const releasedMoves = -1

/** One step of a claim. */
export interface ClaimStep {
  /** A route id, or a part of the re-queue. */
  readonly key: number
  readonly moves: number
  /** Most moves of such a step as long as all is well. */
  readonly usual: number
  /** When it began, ms since 1970. */
  readonly since: number
}

/** SQLSTATEs of a statement that took too long, or waited too long for a lock. */
const timeLimits = new Set(['57014', '55P03'])

/**
 * The error of a step as the port throws it. After a time limit, the next claims leave its route alone for a while and
 * then take less of it.
 */
export const failedStep = (smaller: SmallerClaims, step: ClaimStep, error: unknown): unknown => {
  if (!timeLimits.has(codeOf(error) ?? '')) return error
  const { key, moves, since } = step
  const now = asyncScheduler.now()
  const size = afterTimeLimit(moves, now - since, now)
  smaller.set(key, size)
  const what = key > 0 ? `moves of route ${key}` : 'moves of the re-queue'
  const restSeconds = Math.ceil((size.restsUntil - now) / 1_000)
  return new TransientError(
    `PostgreSQL: claiming ${moves} ${what} took too long (${messageOf(error)}). Others go on; in ${restSeconds} s at most ${size.most} are claimed`,
    { cause: error, code: codeOf(error) },
  )
}

export const succeededStep = (smaller: SmallerClaims, { key, moves, usual, since }: ClaimStep): void => {
  const before = smaller.get(key)
  const size = before === undefined ? null : afterSuccess(before, moves, asyncScheduler.now() - since, usual)
  if (size === null) smaller.delete(key)
  else smaller.set(key, size)
}
