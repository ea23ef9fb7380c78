import { lookAlikeKey } from '../../../src/domain/reconcile'

const route = {
  productKey: 'a1Product',
  sourceInstanceId: 'iot-source',
  strategy: 1,
  targetInstanceIds: ['iot-a', 'iot-b'],
}

describe('lookAlikeKey', () => {
  it('takes target instances as a set, and leaves out what List does not show', () => {
    const listed = {
      ...route,
      targetInstanceIds: ['iot-b', 'iot-a', 'iot-b'],
      priority: 'urgent',
      targetUid: '1',
    }
    expect(lookAlikeKey(listed)).toBe(lookAlikeKey(route))
  })

  it.each([
    { productKey: 'a1Other' },
    { sourceInstanceId: 'iot-else' },
    { strategy: 0 },
    { targetInstanceIds: ['iot-a'] },
    { targetInstanceIds: ['iot-a,iot-b'] },
    { targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'] },
  ])('tells apart: %o', differs => {
    expect(lookAlikeKey({ ...route, ...differs })).not.toBe(lookAlikeKey(route))
  })
})
