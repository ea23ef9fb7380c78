import { type Operation, operations } from './call'
import type { JobFate } from './job-fate'
import type { SimulatorOptions } from './options'
import type { Random } from './random'
import { type FileFault, fileFaults } from './result-file'

/** What can go wrong with one call or with the job that it creates. */
export type Fault =
  /** The gateway refuses the call; it is not executed. */
  | { readonly kind: 'throttled' }
  /** A proxy answers with HTML. `executed`: the call had reached the operation before. Default: 502, executed. */
  | { readonly kind: 'server-error'; readonly status?: number; readonly executed?: boolean }
  /** The gateway refuses the call with that code; it is not executed. */
  | { readonly kind: 'gateway'; readonly status: number; readonly code: string; readonly message?: string }
  /** The answer is HTTP 200 with Success false; the call is not executed. */
  | { readonly kind: 'business'; readonly code: string; readonly message?: string }
  /** The call is executed, then the connection is cut. */
  | { readonly kind: 'lost-response' }
  /** The connection is cut before anything is done. The gateway never sees the call, so it counts against no quota. */
  | { readonly kind: 'lost-request' }
  /** The call is executed at once and answered after `delayMs`. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** The connection is cut at once, and the call is executed after `delayMs` all the same. For creates only. */
  | { readonly kind: 'late'; readonly delayMs: number }
  /** The call is executed, and `fate` decides about the job that it creates. For creates only. */
  | { readonly kind: 'fate'; readonly fate: Partial<JobFate> }
  /** For downloads only. */
  | { readonly kind: 'file'; readonly fault: FileFault }

export type FaultTarget = Operation | 'file'

export interface FaultSource {
  /** The fault of the next call; null: it has none. Injected faults come before seeded ones. */
  next(target: FaultTarget): Fault | null
  /** The next `times` calls of `target` meet `fault`. A call that is refused for its quota uses a fault up too. */
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
    // There is one draw for all rates: they are shares of the calls and do not overlap.
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

type Fields = Readonly<Record<string, unknown>>

const isFields = (raw: unknown): raw is Fields =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw)

const optional = (value: unknown, type: 'string' | 'number' | 'boolean') =>
  value === undefined || typeof value === type

const checks: Readonly<Record<Fault['kind'], (fault: Fields) => boolean>> = {
  throttled: () => true,
  'server-error': fault => optional(fault.status, 'number') && optional(fault.executed, 'boolean'),
  gateway: fault =>
    typeof fault.status === 'number' && typeof fault.code === 'string' && optional(fault.message, 'string'),
  business: fault => typeof fault.code === 'string' && optional(fault.message, 'string'),
  'lost-response': () => true,
  'lost-request': () => true,
  slow: fault => typeof fault.delayMs === 'number',
  late: fault => typeof fault.delayMs === 'number',
  fate: fault => isFields(fault.fate),
  file: fault => fileFaults.some(known => known === fault.fault),
}

const isFault = (raw: unknown): raw is Fault =>
  isFields(raw) &&
  typeof raw.kind === 'string' &&
  Object.hasOwn(checks, raw.kind) &&
  checks[raw.kind as Fault['kind']](raw)

const isTarget = (raw: unknown): raw is FaultTarget =>
  raw === 'file' || operations.some(known => known === raw)

export interface Injection {
  readonly operation: FaultTarget
  readonly fault: Fault
  readonly times: number
}

/** Reads `{ operation, fault: { kind, … }, times? }` from a control call; null if it is anything else. */
export const readInjection = (raw: unknown): Injection | null => {
  if (!isFields(raw)) return null
  const { operation, fault, times = 1 } = raw
  return isTarget(operation) && isFault(fault) && typeof times === 'number' && times >= 1
    ? { operation, fault, times }
    : null
}
