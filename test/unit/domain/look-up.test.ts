import { fateOf, fatesOf, type LookUp, type OpenJob, type Whereabouts } from '../../../src/domain/look-up'
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

describe('what a look-up says of a move', () => {
  it.each<[string, Partial<Whereabouts> | null, OpenJob, string]>([
    ['brought to the target by the job', {}, job, 'moved'],
    [
      'at the target since before the job',
      { sentAt: startedAt - 9e8, changedAt: startedAt - 9e8 },
      job,
      'moved',
    ],
    ['at the target, its times not given', { sentAt: null, changedAt: null }, job, 'moved'],
    ['at the target, by a job that ended at once', { changedAt: startedAt + 301 }, job, 'moved'],
    ['made at the target', { ...atSource, instanceId: 'iot-target', cameFrom: 'iot-target' }, job, 'moved'],
    [
      'said to be at the target, and never distributed',
      { sentAt: answeredAt, changedAt: answeredAt + 1 },
      job,
      'cannot-tell',
    ],
    ['at its source, never distributed', atSource, job, 'elsewhere'],
    [
      'back at its source since before the job',
      { instanceId: 'iot-source', cameFrom: 'iot-target', sentAt: startedAt - 1 },
      job,
      'elsewhere',
    ],
    [
      'taken back to its source since the job began',
      { instanceId: 'iot-source', cameFrom: 'iot-target', sentAt: startedAt },
      job,
      'cannot-tell',
    ],
    [
      'gone on from the target, nobody knows when',
      { instanceId: 'iot-third', cameFrom: 'iot-target', sentAt: null },
      job,
      'cannot-tell',
    ],
    ['at a third instance', { instanceId: 'iot-third' }, job, 'elsewhere'],
    ['without an answer', null, job, 'cannot-tell'],
    ['at one of several targets', { instanceId: 'iot-other' }, nearest, 'moved'],
    ['accepted or not, but not yet connected', atSource, nearest, 'cannot-tell'],
  ])('a device %s', (_, found, of, fate) => {
    expect(fateOf(lookUp(found), of)).toBe(fate)
  })

  it('does not depend on clocks that differ by less than half of what the job took', () => {
    for (const skewMs of [-29_000, 29_000]) {
      const by = { sentAt: startedAt + skewMs, changedAt: startedAt + skewMs }
      const never = { sentAt: answeredAt + skewMs, changedAt: answeredAt + skewMs }
      expect(fateOf(lookUp(by), job)).toBe('moved')
      expect(fateOf(lookUp(never), job)).toBe('cannot-tell')
    }
  })

  it('goes by the later of two look-ups', () => {
    const later = { ...lookUp({}), answeredAt: answeredAt + 1 }
    const earlier = lookUp(atSource)
    expect(fatesOf([later, earlier], job)).toEqual(new Map([['meter-1', 'moved']]))
    expect(fatesOf([], job)).toEqual(new Map())
  })
})
