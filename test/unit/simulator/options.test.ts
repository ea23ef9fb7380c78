import { optionFlags, parseSimulatorOptions, withDefaults } from '../../../src/tools/simulator/options'

describe('the options of the simulator', () => {
  it('have their defaults when nothing is given', () => {
    expect(parseSimulatorOptions({})).toEqual(withDefaults({}))
    expect(withDefaults({})).toMatchObject({
      seed: 1,
      qps: 0,
      jobs: 10,
      jobsMode: 'open',
      fileUrlMs: 600_000,
    })
  })

  it('are read from JSON and from the text of flags alike', () => {
    const faults = [{ code: '500', rate: 0.1, permanent: true }]
    const json = {
      jobs: 3,
      throttleRate: 0.5,
      fileProductRow: true,
      jobsMode: 'existing',
      deviceFaults: faults,
    }
    const flags = Object.fromEntries(
      Object.entries(json).map(([name, value]) => [
        name,
        typeof value === 'object' ? JSON.stringify(value) : `${value}`,
      ]),
    )
    expect(parseSimulatorOptions(json)).toEqual(withDefaults(json as object))
    expect(parseSimulatorOptions(flags)).toEqual(parseSimulatorOptions(json))
  })

  it('are refused with all their problems at once', () => {
    const raw = {
      job: 3,
      throttleRate: 2,
      jobsMode: 'all',
      seed: 1.5,
      qps: '',
      deviceFaults: '{',
      latencyMinMs: 5,
    }
    expect(parseSimulatorOptions(raw)).toEqual({
      problems: [
        'job: no such option',
        'throttleRate: must be a number from 0 to 1',
        'jobsMode: must be open | existing',
        'seed: must be a whole number from 0 to 4294967295',
        'qps: must be a whole number from 0 to 2147483648',
        'deviceFaults: must be a list of { code, rate, permanent? }',
        'latencyMaxMs: must not be below latencyMinMs',
      ],
    })
    expect(parseSimulatorOptions([])).toHaveProperty('problems')
  })

  it('have one flag each', () => {
    expect(optionFlags.find(option => option.name === 'listLagMs')?.flag).toBe('--list-lag-ms')
    expect(new Set(optionFlags.map(option => option.flag)).size).toBe(optionFlags.length)
  })
})
