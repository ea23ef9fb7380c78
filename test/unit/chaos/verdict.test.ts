import { createRandom } from '../../../src/tools/simulator/random'
import { type Asked, fleetRecords } from '../../chaos/fleet'
import { createResultsCheck, type Result } from '../../chaos/results-check'
import { planDisturbances } from '../../chaos/schedule'
import { checkTruth } from '../../chaos/truth-check'

const asked = (requestId: string, deviceName: string, to = 'there', from = 'here'): Asked => ({
  requestId,
  deviceName,
  from,
  to,
  isValid: !deviceName.includes('!'),
})

let nextId = 0
const result = (requestId: string, deviceName: string, more: Partial<Result> = {}): Result => ({
  id: `id ${nextId++}`,
  requestId,
  deviceName,
  outcome: 'moved',
  final: true,
  code: '200',
  attempt: 1,
  ...more,
})

const clean = {
  lost: 0,
  repeatedIds: 0,
  secondFinals: 0,
  strangers: 0,
  outOfOrder: 0,
  misjudged: 0,
}

const retried = { outcome: 'failed', code: 'busy', final: false }

describe('the verdict of a chaos run', () => {
  const fleet = [asked('a', 'one'), asked('b', 'one', 'here', 'there'), asked('c', 'two'), asked('d', 'bad!')]
  const check = (results: readonly Result[]) => {
    const made = createResultsCheck(fleet)
    for (const one of results) made.add(one)
    return made
  }
  const good = [
    result('a', 'one', retried),
    result('a', 'one', { attempt: 2 }),
    result('c', 'two'),
    result('b', 'one'),
    result('d', 'bad!', { outcome: 'rejected' }),
  ]

  it('finds nothing when all is as promised', () => {
    expect(check(good).summary()).toMatchObject({ ...clean, results: 5 })
  })

  it('finds a request without a final outcome', () => {
    expect(check(good.slice(0, 4)).summary()).toMatchObject({ ...clean, lost: 1, lostExamples: ['d bad!'] })
    const open = check([result('c', 'two', retried)]).summary()
    expect(open.lost).toBe(4)
  })

  it('finds a record that came twice and a second final outcome', () => {
    expect(check([...good, ...good.slice(2, 3)]).summary()).toMatchObject({ ...clean, repeatedIds: 1 })
    expect(check([...good, result('c', 'two', { attempt: 2 })]).summary()).toMatchObject({
      ...clean,
      secondFinals: 1,
    })
  })

  it('finds attempts and requests of a device that are out of order', () => {
    const [first, second, ...others] = good
    expect(check([second, first, ...others].flatMap(one => one ?? [])).summary().outOfOrder).toBe(2)
    expect(check([...good.slice(3), ...good.slice(0, 3)]).summary().outOfOrder).toBe(1)
  })

  it('finds outcomes of requests that were never made, and wrong rejections', () => {
    expect(check([...good, result('e', 'three')]).summary().strangers).toBe(1)
    expect(check([...good.slice(0, 4), result('d', 'bad!')]).summary().misjudged).toBe(1)
  })

  const records = (name: string, ...targets: readonly string[]) =>
    [
      name,
      {
        productKey: 'p',
        deviceName: name,
        instanceId: targets.at(-1) ?? 'here',
        attempts: 1,
        moves: targets.map(to => ({ jobId: 'j', from: 'x', to, at: 0, told: true })),
      },
    ] as const

  it('finds devices that moved without an outcome, and outcomes without a move', () => {
    const truth = (...one: readonly string[]) => new Map([records('one', ...one), records('two', 'there')])
    const devices = check(good).devices()
    expect(checkTruth(devices, truth('there', 'here'))).toMatchObject({ movedUntold: 0, toldUnmoved: 0 })
    expect(checkTruth(devices, truth('there'))).toMatchObject({ movedUntold: 0, toldUnmoved: 1 })
    expect(checkTruth(devices, truth('there', 'here', 'there'))).toMatchObject({ movedUntold: 1 })
  })

  it('allows either for a device whose fate was uncertain, but not a move too many', () => {
    const devices = [...check([result('c', 'two', { outcome: 'failed', code: 'unknown' })]).devices()]
    const of = (...targets: readonly string[]) =>
      checkTruth(
        devices.filter(({ name }) => name === 'two'),
        new Map([records('two', ...targets)]),
      )
    expect(of()).toMatchObject({ movedUntold: 0, toldUnmoved: 0, uncertain: 1 })
    expect(of('there')).toMatchObject({ movedUntold: 0, toldUnmoved: 0, uncertain: 1 })
    expect(of('there', 'there')).toMatchObject({ movedUntold: 1, uncertain: 1 })
  })
})

describe('the schedule of a chaos run', () => {
  const plan = { forMs: 60_000, everyMs: 4_000, replicas: 3, longestFreezeMs: 15_000, kills: null }

  it('is the same for the same seed and has every kind of disturbance', () => {
    const planned = planDisturbances(createRandom(7), plan)
    expect(planDisturbances(createRandom(7), plan)).toEqual(planned)
    expect(planDisturbances(createRandom(8), plan)).not.toEqual(planned)
    const kinds = planned.map(({ disturbance: { kind, ...how } }) =>
      'how' in how ? `${kind} ${how.how}` : kind,
    )
    expect([...new Set(kinds)].sort()).toEqual([
      ...['broker freeze', 'broker kill', 'broker stop', 'cut', 'delay', 'freeze', 'half-close', 'kill'],
      ...['postgres fast', 'postgres immediate', 'swallow'],
    ])
  })

  it('only kills the driver, at even distances, if asked to', () => {
    const planned = planDisturbances(createRandom(7), { ...plan, kills: 3 })
    expect(planned.map(({ atMs }) => atMs)).toEqual([10_000, 30_000, 50_000])
    for (const { disturbance } of planned)
      expect(disturbance).toMatchObject({ kind: 'kill', victim: 'driver' })
  })
})

describe('the fleet of a chaos run', () => {
  it('is the same for the same seed and has each device, some of them twice, in lists or with bad names', () => {
    const plan = { seed: 3, devices: 5_000, routes: 8 }
    const records = [...fleetRecords(plan)]
    expect([...fleetRecords(plan)]).toEqual(records)
    const all = records.flatMap(record => record.asked)
    expect(new Set(all.filter(({ isValid }) => isValid).map(({ deviceName }) => deviceName)).size).toBe(5_000)
    expect(all.some(({ isValid }) => !isValid)).toBe(true)
    expect(all.some(({ requestId }) => requestId.startsWith('back/'))).toBe(true)
    expect(records.some(record => record.asked.length === 20)).toBe(true)
  })
})
