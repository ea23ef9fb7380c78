import { classifyDeviceCode } from './device-codes'
import type { DeviceResult } from './settlement'

type Rows = ReadonlyMap<string, DeviceResult>

/**
 * What two result files of one job say together. The newer counts, except that a device which one of them has seen
 * moved has moved: it is never to be sent again.
 */
export const mergeRows = (older: Rows, newer: Rows): Rows => {
  const merged = new Map(older)
  for (const [name, row] of newer) {
    const known = older.get(name)
    if (known === undefined || classifyDeviceCode(known.code) !== 'moved') merged.set(name, row)
  }
  return merged
}
