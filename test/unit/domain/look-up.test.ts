import {
  type Fate,
  fateOf,
  fatesOf,
  type LookUp,
  type OpenJob,
  type Whereabouts,
} from '../../../src/domain/look-up'
import { routeTo } from '../../support/virtual-driver'

const startedAt = 1_000_000
const answeredAt = startedAt + 60_000
const job: OpenJob = {
  route: routeTo('iot-target', { sourceInstanceId: 'iot-source' }),
  createStartedAt: startedAt,
}
const nearest: OpenJob = {
  ...job,
  route: { ...job.route, strategy: 1, targetInstanceIds: ['iot-target', 'iot-other'] },
}

const lookUp = (found: Partial<Whereabouts> | null): LookUp => ({
  deviceName: 'meter-1',
  answeredAt,
  found:
    found === null
      ? null
      : {
          instanceId: 'iot-target',
          cameFrom: 'iot-source',
          sentAt: startedAt + 300,
          changedAt: startedAt + 50_000,
          ...found,
        },
  code: found === null ? 'iot.device.NotExistedDevice' : null,
})
const atSource = {
  instanceId: 'iot-source',
  cameFrom: 'iot-source',
  sentAt: answeredAt,
  changedAt: answeredAt,
}

describe('a look-up', () => {
  it.each<[string, Fate, Partial<Whereabouts> | null, OpenJob]>([
    ['brought to the target by the job', 'moved', {}, job],
    [
      'at the target since before the job',
      'moved',
      { sentAt: startedAt - 9e8, changedAt: startedAt - 9e8 },
      job,
    ],
    ['at the target, without times,', 'moved', { sentAt: null, changedAt: null }, job],
    ['brought to the target by a job that ended at once', 'moved', { changedAt: startedAt + 301 }, job],
    [
      'created at the target',
      'moved',
      { ...atSource, instanceId: 'iot-target', cameFrom: 'iot-target' },
      job,
    ],
    [
      'said to be at the target and never distributed',
      'cannot-tell',
      { sentAt: answeredAt, changedAt: answeredAt + 1 },
      job,
    ],
    ['at its source and never distributed', 'elsewhere', atSource, job],
    [
      'back at its source since before the job',
      'elsewhere',
      { instanceId: 'iot-source', cameFrom: 'iot-target', sentAt: startedAt - 1 },
      job,
    ],
    [
      'taken back to its source since the job began',
      'cannot-tell',
      { instanceId: 'iot-source', cameFrom: 'iot-target', sentAt: startedAt },
      job,
    ],
    [
      'moved on from the target at an unknown time',
      'cannot-tell',
      { instanceId: 'iot-third', cameFrom: 'iot-target', sentAt: null },
      job,
    ],
    ['at a third instance', 'elsewhere', { instanceId: 'iot-third' }, job],
    ['without an answer', 'cannot-tell', null, job],
    ['at one of several targets', 'moved', { instanceId: 'iot-other' }, nearest],
    ['at its source that moves when it next connects', 'cannot-tell', atSource, nearest],
  ])('of a device %s says %s', (_, fate, found, of) => {
    expect(fateOf(lookUp(found), of)).toBe(fate)
  })

  it('says the same with clocks that differ by less than half of the time the job took', () => {
    for (const skewMs of [-29_000, 29_000]) {
      const by = { sentAt: startedAt + skewMs, changedAt: startedAt + skewMs }
      const never = { sentAt: answeredAt + skewMs, changedAt: answeredAt + skewMs }
      expect(fateOf(lookUp(by), job)).toBe('moved')
      expect(fateOf(lookUp(never), job)).toBe('cannot-tell')
    }
  })

  it('counts instead of an earlier one of the same device', () => {
    const later = { ...lookUp({}), answeredAt: answeredAt + 1 }
    const earlier = lookUp(atSource)
    expect(fatesOf([later, earlier], job)).toEqual(new Map([['meter-1', 'moved']]))
    expect(fatesOf([], job)).toEqual(new Map())
  })
})
