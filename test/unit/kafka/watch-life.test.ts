import { EventEmitter } from 'node:events'
import { type Consumer, type InstrumentationEvent, Kafka, logLevel } from 'kafkajs'
import { watchLife } from '../../../src/kafka/consumer/consumer-life'
import { UnreadableBatchError } from '../../../src/kafka/kafkajs-patches/checked-batches'

/** The events of a real consumer. It connects to nothing. */
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

describe('the watch over a consumer', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('reports once that the broker is silent, and then its first answer', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    jest.advanceTimersByTime(30_000)
    expect(told).toEqual(['no sign of life from Kafka for 10 s'])
    emit(events.FETCH)
    expect(told).toEqual(['no sign of life from Kafka for 10 s', null])
    watch.stop()
  })

  it('gives the consumer up after a minute of silence', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    jest.advanceTimersByTime(62_000)
    expect(told).toEqual([
      'no sign of life from Kafka for 10 s',
      'ended: no sign of life from Kafka for 60 s',
    ])
    watch.stop()
  })

  it('reports no silence during a join, which may wait for the slowest member', () => {
    const { emit, told, watch } = setUp()
    emit(events.GROUP_JOIN)
    emit(events.REBALANCING)
    jest.advanceTimersByTime(140_000)
    expect(told).toEqual([])
    watch.stop()
  })

  it('reports the innermost cause of a crash', () => {
    const { emit, told, watch } = setUp()
    emit(events.CRASH, { error: new Error('outer', { cause: new Error('the broker hung up') }) })
    expect(told).toEqual(['ended: the broker hung up'])
    watch.stop()
  })

  it.each([
    ['of more records than the stack allows', new RangeError('Maximum call stack size exceeded')],
    ['that cannot be read', new UnreadableBatchError('a record batch cannot be read')],
  ])('reports that the bytes are at fault, not the broker, for a record batch %s', (_, cause) => {
    const { emit, told, watch } = setUp()
    emit(events.CRASH, { error: new Error('outer', { cause: new Error('inner', { cause }) }) })
    expect(told).toEqual([`ended: what was fetched cannot be decoded: ${cause.message}`])
    watch.stop()
  })
})
