import { defer, map, type Observable, of, timer } from 'rxjs'
import type { Idle } from '../../../src/operators/wait-until'
import { now } from './virtual-time'

export type Answer = Idle | { readonly kind: 'job'; readonly id: number }

export const idle = (wakeInMs: number | null = null): Answer => ({ kind: 'idle', wakeInMs })
export const job = (id: number): Answer => ({ kind: 'job', id })

/** Attempts that take `tookMs` each. Each gives the next answer, and after the last answer that one again. */
export const attempts = (
  answers: readonly Answer[],
  tookMs = 0,
): { attempt: Observable<Answer>; startedAt: number[] } => {
  const startedAt: number[] = []
  const attempt = defer(() => {
    const answer = answers[Math.min(startedAt.length, answers.length - 1)] ?? idle()
    startedAt.push(now())
    return tookMs === 0 ? of(answer) : timer(tookMs).pipe(map(() => answer))
  })
  return { attempt, startedAt }
}
