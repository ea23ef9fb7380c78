// Writes examples/fleet.csv: a fleet of 32,000 devices on twelve routes, with the mistakes real lists have.
// The seed is fixed: the same bytes on every machine.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const devices = 32_000
const account = '1984000000000001'
const columns = [
  'requestId',
  'deviceName',
  'productKey',
  'sourceInstanceId',
  'targetInstanceId',
  'targetInstanceIds',
  'strategy',
  'targetUid',
  'priority',
  'requestedAt',
]

/** mulberry32: numbers in [0, 1). */
const createRandom = seed => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
const random = createRandom(20261124)

const meters = { productKey: 'a1BwAGVexmp', prefix: 'meter-', sourceInstanceId: 'iot-060a02m5' }
const pumps = { productKey: 'a1Xy7QkLmZ2', prefix: 'pump.', sourceInstanceId: 'iot-060a02m5' }
const gates = { productKey: 'a1c9RtPv0Ns', prefix: 'gate:', sourceInstanceId: 'iot-08cn11p7' }

// How often each route is drawn; they are mixed row by row, as lists sorted by site are.
const routes = [
  { weight: 30, ...meters, targetInstanceId: 'iot-cn-6ja9x1' },
  { weight: 16, ...meters, targetInstanceId: 'iot-cn-7kb0y2' },
  { weight: 8, ...meters, targetInstanceId: 'iot-cn-8lc1z3' },
  { weight: 2, ...meters, targetInstanceId: 'iot-cn-6ja9x1', priority: 'urgent' },
  { weight: 14, ...pumps, targetInstanceId: 'iot-cn-6ja9x1' },
  { weight: 7, ...pumps, targetInstanceId: 'iot-cn-9md2w4' },
  { weight: 5, ...pumps, targetInstanceIds: 'iot-cn-6ja9x1|iot-cn-7kb0y2', strategy: '1' },
  { weight: 8, ...gates, targetInstanceId: 'iot-cn-7kb0y2' },
  { weight: 4, ...gates, targetInstanceId: 'iot-cn-8lc1z3' },
  { weight: 3, ...gates, targetInstanceId: 'iot-cn-9md2w4' },
  { weight: 2, ...gates, targetInstanceId: 'iot-cn-9md2w4', priority: 'urgent' },
  { weight: 1, ...gates, targetInstanceIds: 'iot-cn-8lc1z3|iot-cn-9md2w4', strategy: '1' },
]
const total = routes.reduce((sum, route) => sum + route.weight, 0)

const drawRoute = () => {
  let left = random() * total
  return routes.find(route => {
    left -= route.weight
    return left < 0
  })
}

const startAt = Date.UTC(2026, 10, 24, 8)
const text = (number, width) => String(number).padStart(width, '0')

const rows = []
for (let index = 0; index < devices; index++) {
  const { prefix, weight, ...route } = drawRoute()
  rows.push({
    requestId: `fleet-42/${text(Math.floor(index / 100), 4)}`,
    deviceName: `${prefix}${text(index, 6)}`,
    targetUid: account,
    requestedAt: new Date(startAt + Math.floor(index / 100) * 1000).toISOString().replace('.000Z', 'Z'),
    ...route,
  })
}

const one = {
  requestId: 'fleet-42/typed',
  productKey: meters.productKey,
  sourceInstanceId: meters.sourceInstanceId,
  targetInstanceId: 'iot-cn-6ja9x1',
  targetUid: account,
  requestedAt: rows[0].requestedAt,
}
const mistakes = [
  { ...one, deviceName: 'meter 900001' },
  { ...one, deviceName: 'm-7' },
  { ...one, deviceName: `meter-${'9'.repeat(27)}` },
  { ...one, deviceName: 'meter-900004', targetInstanceId: '' },
  { ...one, deviceName: 'meter-900005', targetInstanceId: one.sourceInstanceId },
  {
    ...one,
    deviceName: 'meter-900006',
    targetInstanceId: '',
    targetInstanceIds: 'iot-cn-6ja9x1|iot-cn-7kb0y2',
    strategy: '0',
  },
]
// The same request again, as a producer sends it that did not hear of the first one.
const repeats = [120, 1234, 4711, 9000].map(index => rows[index])
// The same device again under another request: carried out after the first.
const again = [77, 2020].map(index => ({ ...rows[index], requestId: 'fleet-43/0001' }))

// Spread over the list; from its end on, so that places stay true.
const extras = [...mistakes, ...repeats, ...again]
extras.forEach((row, index) => {
  rows.splice(Math.floor(devices * (1 - (0.9 * index) / extras.length)), 0, row)
})

const line = cells => `${cells.join(',')}\n`
const csv = line(columns) + rows.map(row => line(columns.map(column => row[column] ?? ''))).join('')
const target = join(dirname(fileURLToPath(import.meta.url)), '..', 'examples', 'fleet.csv')
writeFileSync(target, csv)
console.log(`${rows.length} rows, ${csv.length} bytes: ${target}`)
