import type { Option } from './option-kinds'
import { happens } from './random'

/** A share of the devices, `rate`, fails with `code`. A permanent fault hits the same devices at every attempt. */
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

/** The option that holds the faults; a flag gives them as JSON text. */
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
 * The code with which a device fails at its `attempt`-th attempt, or null. A transient fault is drawn anew at each
 * attempt, so it passes; a permanent one is drawn once for the device. Nothing else has an influence.
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
