import { messageOf } from '../domain/message-of'
import type { SourceRecord } from '../ports'
import type { KafkaLog } from './kafka-log'
import type { OfferedChunks } from './offered-chunks'

const firstPauseMs = 100
const longestPauseMs = 5_000

/**
 * Offers one chunk, again and ever more slowly after each `fail`, until it is durable. false if it must not be
 * offered any more: the source stops, or the partition may be another member's by now.
 */
export const offerUntilDurable = async (
  { offered, log }: { readonly offered: OfferedChunks; readonly log: KafkaLog },
  records: readonly SourceRecord[],
  mayGoOn: () => boolean,
): Promise<boolean> => {
  const first = records[0]?.position
  if (first === undefined) return true
  const { topic, partition, offset } = first
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const end = await offered.offer(topic, partition, records)
    if (end.kind === 'done') return true
    if (end.kind === 'withdrawn') return false
    log('warn', 'a chunk was not stored and is offered again', {
      ...{ topic, partition, offset: offset.toString() },
      error: messageOf(end.reason),
    })
    await offered.pause(pauseMs)
    if (!mayGoOn()) return false
  }
}
