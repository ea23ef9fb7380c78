import type { Consumer } from 'kafkajs'

/** A healthy broker answers a fetch within 0.1 s, so so long a silence is worth telling. */
const silentAfterMs = 10_000
/** And so long a one is worth a new consumer. */
const lostAfterMs = 60_000
/** A join may wait for the slowest member, up to the rebalance timeout of 60 s. */
const joiningMs = 150_000
const lookEveryMs = 2_000

/** The error at the bottom: kafkajs wraps several times. */
const causeOf = (error: Error): Error => (error.cause instanceof Error ? causeOf(error.cause) : error)

/** For people: what ended the consumer. */
const crashText = (error: Error): string => {
  const cause = causeOf(error)
  const isUndecodable = cause.name === 'UnreadableBatchError' || cause instanceof RangeError
  return isUndecodable ? `what was fetched cannot be decoded: ${cause.message}` : cause.message
}

export interface LifeSigns {
  /** The broker has not answered for 10 s; null: it does again. */
  readonly silent: (reason: string | null) => void
  /** Told once: crashed, or silent for too long. */
  readonly ended: (error: Error) => void
}

/**
 * Reports that a consumer has crashed or gone silent. kafkajs can do both without anybody noticing: `run()` has
 * resolved long ago (traps 9 and 15).
 */
export const watchLife = (
  consumer: Pick<Consumer, 'events' | 'on'>,
  { silent, ended }: LifeSigns,
): { readonly alive: () => void; stop(): void } => {
  const { CRASH, FETCH, GROUP_JOIN, HEARTBEAT, REBALANCING } = consumer.events
  let seenAt = Date.now()
  let isAssigned = false
  let isJoining = false
  let isSilent = false
  const alive = (): void => {
    seenAt = Date.now()
    if (isSilent) silent(null)
    isSilent = false
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
    if (!isAssigned) return
    const forMs = Date.now() - seenAt
    const limitMs = isJoining ? joiningMs : lostAfterMs
    if (forMs > limitMs) ended(new Error(`no sign of life from Kafka for ${limitMs / 1_000} s`))
    else if (forMs > silentAfterMs && !isJoining && !isSilent) {
      isSilent = true
      silent(`no sign of life from Kafka for ${silentAfterMs / 1_000} s`)
    }
  }, lookEveryMs)
  return {
    alive,
    stop: () => {
      clearInterval(looking)
      for (const remove of removers) remove()
    },
  }
}
