import type { JobFate } from './job-fate'
import type { Operation } from './operation-names'
import type { SimulatorOptions } from './options'
import type { Random } from './random'
import type { FileFault } from './result-file'

/** What can go wrong with one call, or with the job it creates. */
export type Fault =
  /** Refused by the gateway, not executed. */
  | { readonly kind: 'throttled' }
  /** HTML from a proxy; `executed`: it had reached the operation before. Default 502, executed. */
  | { readonly kind: 'server-error'; readonly status?: number; readonly executed?: boolean }
  /** A refusal of the gateway, not executed. */
  | { readonly kind: 'gateway'; readonly status: number; readonly code: string; readonly message?: string }
  /** HTTP 200 with Success false, not executed. */
  | { readonly kind: 'business'; readonly code: string; readonly message?: string }
  /** Executed, then the connection is cut. */
  | { readonly kind: 'lost-response' }
  /** Cut before anything was done: the gateway never saw it, so it counts against no quota. */
  | { readonly kind: 'lost-request' }
  /** Executed at once, answered after `delayMs`. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Cut at once, executed after `delayMs` all the same. Creates only. */
  | { readonly kind: 'late'; readonly delayMs: number }
  /** Executed, but the job it creates fares so. Creates only. */
  | { readonly kind: 'fate'; readonly fate: Partial<JobFate> }
  /** For downloads only. */
  | { readonly kind: 'file'; readonly fault: FileFault }

export type FaultTarget = Operation | 'file'

export interface FaultSource {
  /** What befalls the next call; null: nothing. Injected faults come first. */
  next(target: FaultTarget): Fault | null
  /** The next `times` calls of `target` meet `fault`; one that is refused for its quota has met it all the same. */
  inject(target: FaultTarget, fault: Fault, times?: number): void
}

export const createFaults = (options: SimulatorOptions, random: Random): FaultSource => {
  const injected = new Map<FaultTarget, Fault[]>()

  const seeded = (target: FaultTarget): Fault | null => {
    if (target === 'file')
      return random() < options.fileErrorRate ? { kind: 'file', fault: 'unavailable' } : null
    const rates: readonly (readonly [number, () => Fault])[] = [
      [options.throttleRate, () => ({ kind: 'throttled' })],
      [options.serverErrorRate, () => ({ kind: 'server-error', executed: random() < 0.5 })],
      [options.lostResponseRate, () => ({ kind: 'lost-response' })],
      [options.lostRequestRate, () => ({ kind: 'lost-request' })],
      [
        target === 'create' ? options.lateCreateRate : 0,
        () => ({ kind: 'late', delayMs: options.lateCreateMs }),
      ],
    ]
    // One draw for all: the rates are shares of the calls, they do not overlap.
    let left = random()
    for (const [rate, fault] of rates) {
      if (left < rate) return fault()
      left -= rate
    }
    return null
  }

  return {
    next: target => injected.get(target)?.shift() ?? seeded(target),
    inject(target, fault, times = 1) {
      const queue = injected.get(target) ?? []
      injected.set(target, queue)
      for (let i = 0; i < times; i++) queue.push(fault)
    },
  }
}
