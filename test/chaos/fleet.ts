import { createRandom, happens, hash32 } from '../../src/tools/simulator/random'

/** One device of one request. */
export interface Asked {
  readonly requestId: string
  readonly deviceName: string
  readonly from: string
  readonly to: string
  /** If false, the device has to be rejected. */
  readonly isValid: boolean
}

/** A record for the requests topic. */
export interface FleetRecord {
  readonly key: string
  readonly value: string
  readonly asked: readonly Asked[]
}

export interface FleetPlan {
  readonly seed: number
  readonly devices: number
  readonly routes: number
}

export const productKey = 'a1BwAGVexmp'
export const home = 'iot-060a02m5'
const perList = 20

export const deviceName = (index: number): string => `meter-${String(index).padStart(7, '0')}`

/**
 * A fleet whose devices move from one instance to several others. Some devices move back at once by a request of their
 * own, some share a record with others, and some records have to be rejected. The records of a device stand in the order
 * of its requests.
 */
export const fleetRecords = function* ({ seed, devices, routes }: FleetPlan): Generator<FleetRecord> {
  const record = (
    requestId: string,
    names: readonly string[],
    from: string,
    to: string,
    isUrgent: boolean,
  ) => {
    const [first = ''] = names
    return {
      key: `${productKey}/${first}`,
      value: JSON.stringify({
        requestId,
        ...(names.length === 1 ? { deviceName: first } : { deviceNames: names }),
        productKey,
        sourceInstanceId: from,
        targetInstanceId: to,
        targetUid: '1984000000000001',
        ...(isUrgent ? { priority: 'urgent' } : {}),
      }),
      asked: names.map(name => ({ requestId, deviceName: name, from, to, isValid: !name.includes('!') })),
    }
  }
  for (let index = 0; index < devices; ) {
    const route = hash32(seed, 'route', index) % routes
    const target = `iot-cn-target${route}`
    const isUrgent = route === 0
    const name = deviceName(index)
    if (happens(0.002, seed, 'list', index) && index + perList <= devices) {
      const names = Array.from({ length: perList }, (_, more) => deviceName(index + more))
      yield record(`list/${index}`, names, home, target, isUrgent)
      index += perList
      continue
    }
    yield record(`first/${index}`, [name], home, target, isUrgent)
    if (happens(0.03, seed, 'back', index)) yield record(`back/${index}`, [name], target, home, isUrgent)
    if (happens(0.002, seed, 'bad', index)) yield record(`bad/${index}`, [`${name}!`], home, target, isUrgent)
    index += 1
  }
}

/** The records that a producer sends twice. */
export const isSentTwice = (seed: number): ((record: FleetRecord) => boolean) => {
  const random = createRandom(hash32(seed, 'twice'))
  return () => random() < 0.1
}
