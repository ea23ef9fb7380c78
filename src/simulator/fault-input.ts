import type { Fault, FaultTarget } from './faults'
import { operations } from './operation-names'
import { fileFaults } from './result-file'

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

/** `{ operation, fault: { kind, … }, times? }` as a control call gives it; null if it is anything else. */
export const readInjection = (raw: unknown): Injection | null => {
  if (!isFields(raw)) return null
  const { operation, fault, times = 1 } = raw
  return isTarget(operation) && isFault(fault) && typeof times === 'number' && times >= 1
    ? { operation, fault, times }
    : null
}
