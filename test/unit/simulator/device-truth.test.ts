import { createFixture } from './account-fixture'

const back = { SourceInstanceId: 'B', 'TargetInstanceConfig.1.TargetInstanceId': 'A' }

describe('the simulator’s record of devices', () => {
  it('knows where each device is and how it came there', () => {
    const fixture = createFixture()
    const createdAt = fixture.now()
    const job = fixture.create(['meter-1'])
    fixture.pass(100)
    const endedAt = fixture.now()
    expect([...fixture.account.truth.records()]).toEqual([
      {
        productKey: 'a1Product',
        deviceName: 'meter-1',
        instanceId: 'B',
        attempts: 1,
        moves: [{ jobId: job, from: 'A', to: 'B', at: endedAt, told: true }],
      },
    ])
    const { Data } = fixture.fields(
      fixture.call('provisioning', { ProductKey: 'a1Product', DeviceName: 'meter-1' }),
    )
    expect(Data).toMatchObject({
      SourceIotInstanceId: 'A',
      TargetIotInstanceId: 'B',
      GmtCreate: createdAt,
      GmtModified: endedAt,
    })
  })

  it('finds a create that was carried out twice, though the second moves nothing', () => {
    const fixture = createFixture()
    const first = fixture.create(['meter-1', 'meter-2'])
    const second = fixture.create(['meter-1', 'meter-3'])
    fixture.pass(100)
    expect(fixture.rows(second)).toEqual({ 'meter-1': 'iot.device.NotExistedDevice', 'meter-3': '200' })
    expect(fixture.account.truth.summary()).toEqual({
      devices: 3,
      moves: 3,
      movedOnce: 3,
      movedMoreThanOnce: 0,
      movedTwice: 1,
      repeatedUntold: 0,
      twice: [
        {
          productKey: 'a1Product',
          deviceName: 'meter-1',
          sourceInstanceId: 'A',
          targetInstanceId: 'B',
          jobIds: [first, second],
        },
      ],
    })
  })

  it('has a device moved again that is at its target already, if asked to', () => {
    const fixture = createFixture({ alreadyThere: 'move' })
    fixture.create(['meter-1'])
    const second = fixture.create(['meter-1'])
    fixture.pass(100)
    expect(fixture.rows(second)).toEqual({ 'meter-1': '200' })
    expect(fixture.account.truth.summary()).toMatchObject({ movedMoreThanOnce: 1, movedTwice: 1 })
  })

  it('counts no repeat when a device moves there, back and there again', () => {
    const fixture = createFixture()
    for (const route of [{}, back, {}]) {
      fixture.create(['meter-1'], route)
      fixture.pass(100)
    }
    expect(fixture.account.truth.summary()).toMatchObject({ moves: 3, movedMoreThanOnce: 1, movedTwice: 0 })
  })

  it('counts no repeat when the target is another', () => {
    const fixture = createFixture()
    fixture.create(['meter-1'])
    fixture.pass(100)
    const other = fixture.create(['meter-1'], { 'TargetInstanceConfig.1.TargetInstanceId': 'C' })
    fixture.pass(100)
    expect(fixture.rows(other)).toEqual({ 'meter-1': 'iot.device.NotExistedDevice' })
    expect(fixture.account.truth.summary()).toMatchObject({ movedOnce: 1, movedTwice: 0 })
  })

  it('shows each device at its nearest of several targets', () => {
    const fixture = createFixture()
    const names = Array.from({ length: 40 }, (_, i) => `meter-${i}`)
    fixture.create(names, { Strategy: '1', 'TargetInstanceConfig.2.TargetInstanceId': 'C' })
    fixture.pass(100)
    const reached = [...fixture.account.truth.records()].map(device => device.instanceId)
    expect(new Set(reached)).toEqual(new Set(['B', 'C']))
  })

  it('counts a repeat apart when no result file had shown the first move', () => {
    const fixture = createFixture()
    fixture.create(['meter-1'], {}, { endsAs: 3, hasFile: false })
    fixture.pass(100)
    fixture.create(['meter-1'])
    fixture.pass(100)
    expect(fixture.account.truth.summary()).toMatchObject({ movedTwice: 0, repeatedUntold: 1 })
  })

  it('includes moves of devices that the result file leaves out', () => {
    const fixture = createFixture({ missingRowRate: 0.5 })
    const names = Array.from({ length: 40 }, (_, i) => `meter-${i}`)
    const job = fixture.create(names)
    fixture.pass(100)
    const told = Object.keys(fixture.rows(job)).length
    expect([told > 0, told < 40]).toEqual([true, true])
    fixture.create(names)
    fixture.pass(100)
    const truth = fixture.account.truth.summary()
    expect(truth).toMatchObject({ moves: 40, movedTwice: told, repeatedUntold: 40 - told })
  })

  it('shows transient faults pass at a later attempt and permanent ones stay', () => {
    const deviceFaults = [
      { code: 'permanent', rate: 0.2, permanent: true },
      { code: 'transient', rate: 0.5 },
    ]
    const fixture = createFixture({ deviceFaults })
    const names = Array.from({ length: 40 }, (_, i) => `meter-${i}`)
    const codes = Array.from({ length: 20 }, () => {
      const left = names.filter(name => fixture.account.truth.find('a1Product', name)?.instanceId !== 'B')
      const job = fixture.create(left)
      fixture.pass(100)
      return fixture.rows(job)
    })
    const permanentIn = (rows: Record<string, string> | undefined) =>
      Object.keys(rows ?? {}).filter(name => rows?.[name] === 'permanent')
    expect(Object.values(codes[0] ?? {})).toEqual(expect.arrayContaining(['200', 'permanent', 'transient']))
    expect(Object.values(codes.at(-1) ?? {})).toEqual(permanentIn(codes[0]).map(() => 'permanent'))
    expect(permanentIn(codes.at(-1))).toEqual(permanentIn(codes[0]))
  })

  it('keeps thousands of devices apart', () => {
    const fixture = createFixture()
    fixture.create(Array.from({ length: 5_000 }, (_, i) => `meter-${i}`))
    fixture.pass(100)
    expect(fixture.account.truth.summary()).toMatchObject({ devices: 5_000, movedOnce: 5_000 })
    expect(fixture.account.truth.find('a1Product', 'meter-4999')?.moves).toHaveLength(1)
  })
})
