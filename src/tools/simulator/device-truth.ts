import { createMoveLog, type MoveRecord } from './move-log'

export interface DeviceRecord {
  readonly productKey: string
  readonly deviceName: string
  /** The instance where it is now. */
  readonly instanceId: string
  /** How often a job has dealt with it, with or without success. */
  readonly attempts: number
  /** Oldest first. */
  readonly moves: readonly MoveRecord[]
}

export interface TwiceMoved {
  readonly productKey: string
  readonly deviceName: string
  readonly sourceInstanceId: string
  readonly targetInstanceId: string
  /** The job that moved it, and the one that was told to do it again. */
  readonly jobIds: readonly [string, string]
}

export interface Truth {
  /** Devices ever named in an accepted create. */
  readonly devices: number
  /** Moves carried out, of all devices together. */
  readonly moves: number
  readonly movedOnce: number
  /** Includes round trips and moves to a third place, which are right in themselves. */
  readonly movedMoreThanOnce: number
  /**
   * How often a job was told to move a device from A to B although an earlier job had moved it from A to B and nothing
   * had moved it since. The request was then carried out twice, whatever the second job answered. Two different
   * requests for the same move look the same from here.
   */
  readonly movedTwice: number
  /**
   * The same, where no result file had shown the first move because the job was interrupted or the row was left out.
   * Then it is right to try again.
   */
  readonly repeatedUntold: number
  /** The first 100 of `movedTwice`. */
  readonly twice: readonly TwiceMoved[]
}

export interface Visit {
  readonly jobId: string
  readonly at: number
  readonly sourceInstanceId: string
  readonly targetInstanceId: string
  /** A readable result file will show it. */
  readonly told: boolean
}

const LISTED = 100

/**
 * Where every device is and was. It is kept in columns instead of objects: a device takes about 100 bytes, its name
 * included, so a million devices fit in memory.
 */
export const createDeviceTruth = () => {
  const numbers = new Map<string, Map<string, number>>()
  const names: string[] = []
  const productKeys: string[] = []
  const log = createMoveLog()
  let attempts = new Uint8Array(1024)
  let productOf = new Uint16Array(1024)
  let movedTwice = 0
  let repeatedUntold = 0
  const twice: TwiceMoved[] = []

  const grow = () => {
    if (names.length < attempts.length) return
    const [oldAttempts, oldProducts] = [attempts, productOf]
    attempts = new Uint8Array(oldAttempts.length * 2)
    attempts.set(oldAttempts)
    productOf = new Uint16Array(oldProducts.length * 2)
    productOf.set(oldProducts)
  }

  /** Adds a device at the instance where a create first says that it is. Returns its number. */
  const register = (productKey: string, deviceName: string, instanceId: string): number => {
    const ofProduct = numbers.get(productKey) ?? new Map<string, number>()
    const known = ofProduct.get(deviceName)
    if (known !== undefined) return known
    if (!numbers.has(productKey)) {
      numbers.set(productKey, ofProduct)
      productKeys.push(productKey)
    }
    grow()
    const device = names.push(deviceName) - 1
    ofProduct.set(deviceName, device)
    productOf[device] = productKeys.indexOf(productKey)
    log.startAt(device, instanceId)
    return device
  }
  const productKeyOf = (device: number) => productKeys[productOf[device] ?? 0] ?? ''

  const record = (device: number): DeviceRecord => ({
    productKey: productKeyOf(device),
    deviceName: names[device] ?? '',
    instanceId: log.instanceOf(device),
    attempts: attempts[device] ?? 0,
    moves: log.movesOf(device),
  })

  return {
    register,
    nameOf: (device: number): string => names[device] ?? '',
    /** Counts one more attempt and returns its number: 1, 2, … up to 255. */
    attempt: (device: number): number => (attempts[device] = Math.min((attempts[device] ?? 0) + 1, 255)),
    /** Counts a job that repeats what an earlier one did. Call it before `move`. */
    notice(
      device: number,
      visit: Pick<Visit, 'jobId' | 'sourceInstanceId'>,
      targets: readonly string[],
    ): void {
      const last = log.lastMoveOf(device)
      if (last === null || last.from !== visit.sourceInstanceId || !targets.includes(last.to)) return
      if (last.jobId === visit.jobId) return
      if (!last.told) {
        repeatedUntold++
        return
      }
      movedTwice++
      if (twice.length >= LISTED) return
      twice.push({
        productKey: productKeyOf(device),
        deviceName: names[device] ?? '',
        sourceInstanceId: last.from,
        targetInstanceId: last.to,
        jobIds: [last.jobId, visit.jobId],
      })
    },
    move: (device: number, visit: Visit): void => log.append(device, visit),
    instanceOf: (device: number): string => log.instanceOf(device),
    find(productKey: string, deviceName: string): DeviceRecord | null {
      const device = numbers.get(productKey)?.get(deviceName)
      return device === undefined ? null : record(device)
    },
    *records(): Generator<DeviceRecord> {
      for (let device = 0; device < names.length; device++) yield record(device)
    },
    summary(): Truth {
      const { movedOnce, movedMoreThanOnce, moves } = log.counts()
      return {
        devices: names.length,
        moves,
        movedOnce,
        movedMoreThanOnce,
        movedTwice,
        repeatedUntold,
        twice: [...twice],
      }
    },
  }
}

export type DeviceTruth = ReturnType<typeof createDeviceTruth>
