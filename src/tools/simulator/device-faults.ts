import type { Option } from './option-kinds'
import { happens } from './random'

/** Devices fail with `code` at `rate`; a permanent fault hits the same devices at every attempt. */
export interface DeviceFault {
  readonly code: string
  readonly rate: number
  readonly permanent?: boolean
}

const isFault = (one: unknown): one is DeviceFault =>
  typeof one === 'object' &&
  one !== null &&
  'code' in one &&
  typeof one.code === 'string' &&
  one.code !== '' &&
  'rate' in one &&
  typeof one.rate === 'number' &&
  one.rate >= 0 &&
  one.rate <= 1 &&
  (!('permanent' in one) || typeof one.permanent === 'boolean')

const readJson = (raw: string): unknown => {
  try {
    return JSON.parse(raw)
  } catch (error) {
    return error
  }
}

/** The option that holds them; a flag gives them as JSON text. */
export const deviceFaults = (note: string): Option<readonly DeviceFault[]> => ({
  value: [],
  note,
  accepts: 'a list of { code, rate, permanent? }',
  read: raw => {
    const list = typeof raw === 'string' ? readJson(raw) : raw
    return Array.isArray(list) && list.every(isFault) ? list : undefined
  },
})

/**
 * The code with which a device fails at its `attempt`-th try, or null. Transient faults are drawn anew at each
 * attempt, so they pass; permanent ones are drawn once for the device. Depends on nothing else.
 */
export const faultOf = (
  faults: readonly DeviceFault[],
  seed: number,
  device: string,
  attempt: number,
): string | null => {
  for (const [position, fault] of faults.entries()) {
    const kind = fault.permanent ? 'permanent' : 'transient'
    const draw = fault.permanent ? 0 : attempt
    if (happens(fault.rate, seed, kind, position, device, draw)) return fault.code
  }
  return null
}
