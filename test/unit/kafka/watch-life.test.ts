import { EventEmitter } from 'node:events'
import { type Consumer, type InstrumentationEvent, Kafka, logLevel } from 'kafkajs'
import { watchLife } from '../../../src/kafka/consumer/consumer-life'
import { UnreadableBatchError } from '../../../src/kafka/kafkajs-patches/checked-batches'

/** The events of a real consumer, which connects to nothing. */
const { events } = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING }).consumer({
  groupId: 'none',
})

const setUp = () => {
  const emitter = new EventEmitter()
  const consumer: Pick<Consumer, 'events' | 'on'> = {
    events,
    on: (name: string, listener: (event: InstrumentationEvent<never>) => void) => {
      const told = (event: InstrumentationEvent<never>): void => listener(event)
      emitter.on(name, told)
      return () => emitter.off(name, told)
    },
  }
  const told: (string | null)[] = []
  const watch = watchLife(consumer, {
    silent: reason => told.push(reason),
    ended: error => told.push(`ended: ${error.message}`),
  })
  return { emit: (name: string, payload: object = {}) => emitter.emit(name, { payload }), told, watch }
}

describe('watching a consumer', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('tells of a broker that has fallen silent, once, and of its first answer', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    jest.advanceTimersByTime(30_000)
    expect(told).toEqual(['no sign of life from Kafka for 10 s'])
    emit(events.FETCH)
    expect(told).toEqual(['no sign of life from Kafka for 10 s', null])
    watch.stop()
  })

  it('gives up a consumer after a minute of silence', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    jest.advanceTimersByTime(62_000)
    expect(told).toEqual([
      'no sign of life from Kafka for 10 s',
      'ended: no sign of life from Kafka for 60 s',
    ])
    watch.stop()
  })

  it('is patient with a join, which may wait for the slowest member', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    emit(events.REBALANCING)
    jest.advanceTimersByTime(140_000)
    expect(told).toEqual([])
    watch.stop()
  })

  it('says what crashed', () => {
    const { emit, told, watch } = setUp()
    emit(events.CRASH, { error: new Error('outer', { cause: new Error('the broker hung up') }) })
    expect(told).toEqual(['ended: the broker hung up'])
    watch.stop()
  })

  it.each([
    [
      'a record batch of more records than the stack bears',
      new RangeError('Maximum call stack size exceeded'),
    ],
    ['one that cannot be read', new UnreadableBatchError('a record batch cannot be read')],
  ])('says that it is the bytes, not the broker: %s', (_, cause) => {
    const { emit, told, watch } = setUp()
    emit(events.CRASH, { error: new Error('outer', { cause: new Error('inner', { cause }) }) })
    expect(told).toEqual([`ended: what was fetched cannot be decoded: ${cause.message}`])
    watch.stop()
  })
})
