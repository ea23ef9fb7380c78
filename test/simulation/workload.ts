/** What producers send: requests of one device or several, some of them twice, some for a device that has one already. */
import type { Draw } from './draw'
import type { Faults } from './faults'
import type { Plan } from './plan'
import type { NewRecord } from './ports/request-topic'

export interface Sending {
  readonly atMs: number
  readonly partition: number
  readonly record: NewRecord
}

/** One device of a request. It has to get one final outcome. */
export interface Expected {
  readonly requestId: string
  readonly productKey: string
  readonly deviceName: string
}

export interface Workload {
  readonly sendings: readonly Sending[]
  /** By `expectedKey`. */
  readonly expected: ReadonlyMap<string, Expected>
  /** How many bad records are sent. Each has to get one final outcome, its rejection. */
  readonly rejected: number
  /** Devices for which the provider refuses the whole batch. */
  readonly badDevices: ReadonlySet<string>
}

interface RouteOfRequests {
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly targetInstanceId: string
  readonly targetUid: string
  readonly priority: 'normal' | 'urgent'
}

export const accountUid = '1984000000000001'

export const expectedKey = ({ requestId, productKey, deviceName }: Expected): string =>
  `${requestId} ${productKey}/${deviceName}`

const partitionOf = (name: string, partitions: number): number =>
  [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 7) % partitions

const recordOf = (value: string): NewRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: {},
  timestampMs: 0,
})

/** There are few products and targets, so that some routes look alike in the provider's List. */
const drawRoutes = (plan: Plan, { oneOf }: Draw): RouteOfRequests[] =>
  Array.from({ length: plan.routes }, () => ({
    productKey: oneOf(['a1BwAGVexmp', 'a1BwAGVexmp', 'a1CxBHWfynq']),
    sourceInstanceId: 'iot-source',
    targetInstanceId: oneOf(['iot-target-1', 'iot-target-2', 'iot-target-3']),
    targetUid: accountUid,
    priority: oneOf(['normal', 'normal', 'urgent']),
  }))

export const createWorkload = (plan: Plan, draw: Draw, faults: Faults): Workload => {
  const { between, chance } = draw
  const sendings: Sending[] = []
  const expected = new Map<string, Expected>()
  const badDevices = new Set<string>()
  let requests = 0
  let rejected = 0

  /** Returns how often the record is sent. */
  const send = (value: string, partition: number, atMs = between(0, plan.requestsForMs)): 1 | 2 => {
    sendings.push({ atMs, partition, record: recordOf(value) })
    if (!faults.hit('request sent twice')) return 1
    sendings.push({ atMs: atMs + between(0, 60_000), partition, record: recordOf(value) })
    return 2
  }
  const request = (route: RouteOfRequests, names: readonly string[], atMs?: number): void => {
    requests += 1
    const requestId = `fleet/${requests}`
    const device = names.length === 1 ? { deviceName: names[0] } : { deviceNames: names }
    for (const deviceName of names) {
      const each = { requestId, productKey: route.productKey, deviceName }
      expected.set(expectedKey(each), each)
    }
    send(
      JSON.stringify({ requestId, ...route, ...device }),
      partitionOf(names[0] ?? '', plan.partitions),
      atMs,
    )
  }

  const routes = drawRoutes(plan, draw)
  for (const [at, route] of routes.entries()) {
    const names = Array.from({ length: plan.devicesPerRoute }, (_, index) => `dev-${at}-${index}`)
    for (const name of names)
      if (faults.hit('batch refused') || faults.hit('many bad devices'))
        badDevices.add(`${route.productKey}/${name}`)
    while (names.length > 0) {
      const group = names.splice(0, chance(0.6) ? 1 : between(2, 6))
      request(route, group)
      // Another request for the same device, perhaps before the first is carried out.
      if (faults.hit('request repeated'))
        request({ ...draw.oneOf([route, ...routes]), productKey: route.productKey }, group.slice(0, 2))
    }
    // A bad record names no request, so each counts as a request of its own.
    if (faults.hit('bad record')) rejected += send(`not JSON ${at}`, at % plan.partitions)
  }
  return { sendings, expected, rejected, badDevices }
}
