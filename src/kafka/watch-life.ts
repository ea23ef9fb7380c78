import type { Consumer } from 'kafkajs'

const silentMs = 60_000
/** A join may wait for the slowest member, up to the rebalance timeout of 60 s. */
const joiningMs = 150_000
const lookEveryMs = 5_000

/** The error at the bottom: kafkajs wraps several times. */
const causeOf = (error: Error): Error => (error.cause instanceof Error ? causeOf(error.cause) : error)

/** For people: what ended the consumer. */
const crashText = (error: Error): string => {
  const cause = causeOf(error)
  const isUndecodable = cause.name === 'UnreadableBatchError' || cause instanceof RangeError
  return isUndecodable ? `what was fetched cannot be decoded: ${cause.message}` : cause.message
}

/**
 * Reports, once, that a consumer has crashed or gone silent. kafkajs can do both without anybody noticing: `run()`
 * has resolved long ago (traps 9 and 15).
 */
export const watchLife = (
  consumer: Consumer,
  ended: (error: Error) => void,
): { readonly alive: () => void; stop(): void } => {
  const { CRASH, FETCH, GROUP_JOIN, HEARTBEAT, REBALANCING } = consumer.events
  let seenAt = Date.now()
  let isAssigned = false
  let isJoining = false
  const alive = (): void => {
    seenAt = Date.now()
  }
  const removers = [
    consumer.on(FETCH, alive),
    consumer.on(HEARTBEAT, alive),
    consumer.on(GROUP_JOIN, () => {
      isAssigned = true
      isJoining = false
      alive()
    }),
    consumer.on(REBALANCING, () => {
      isJoining = true
      alive()
    }),
    consumer.on(CRASH, ({ payload }) => ended(new Error(crashText(payload.error), { cause: payload.error }))),
  ]
  const looking = setInterval(() => {
    const limitMs = isJoining ? joiningMs : silentMs
    if (isAssigned && Date.now() - seenAt > limitMs)
      ended(new Error(`no sign of life from Kafka for ${limitMs / 1_000} s`))
  }, lookEveryMs)
  return {
    alive,
    stop: () => {
      clearInterval(looking)
      for (const remove of removers) remove()
    },
  }
}
