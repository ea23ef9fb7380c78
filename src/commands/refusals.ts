import type { Rejection } from '../domain/request'

/** Refused lines shown one by one; the rest only counted. */
const shown = 10

export interface Refusals {
  /** Counts it, and says on stderr what is wrong, unless it has said enough. */
  readonly add: (rejection: Rejection) => void
  readonly count: () => number
  readonly byCode: () => ReadonlyMap<string, number>
}

/** What a list holds that no service would take. */
export const createRefusals = (): Refusals => {
  const byCode = new Map<string, number>()
  let count = 0
  return {
    add: ({ code, message, deviceName, position }) => {
      count += 1
      byCode.set(code, (byCode.get(code) ?? 0) + 1)
      const device = deviceName === null ? '' : ` (${deviceName})`
      if (count <= shown) process.stderr.write(`  line ${position.offset}${device}: ${message}\n`)
    },
    count: () => count,
    byCode: () => byCode,
  }
}
