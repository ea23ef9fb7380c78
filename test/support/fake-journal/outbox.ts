import { type Outcome, outcomeOfMove, outcomeOfRejection } from '../../../src/domain/outcome'
import type { Outbox, OutboxChunk, OutboxLimits } from '../../../src/ports/journal'
import type { OutboxRow, Store } from './store'

const outcomesOf = (store: Store, row: OutboxRow): Outcome[] => {
  if ('rejections' in row) return row.rejections.map(rejection => outcomeOfRejection(rejection, row.at))
  const { route, providerJobId } = row.job
  return row.seqs.map(seq => {
    const { acceptedOrder: _acceptedOrder, ...move } = store.moveAt(route, seq)
    const outcome = route.outcomes.get(seq)
    if (outcome === undefined) throw new Error(`no outcome at ${seq}`)
    return outcomeOfMove({ ...move, ...outcome }, route.fields, providerJobId, row.at)
  })
}

const bytesOf = (row: OutboxRow): number =>
  'rejections' in row
    ? row.rejections.reduce((sum, { deadLetter }) => sum + 1_000 + deadLetter.byteLength, 0)
    : row.count * 1_000

export const createFakeOutbox = (store: Store): Outbox => {
  const next = (position: bigint, most: OutboxLimits): OutboxChunk | null => {
    const taken: OutboxRow[] = []
    let count = 0
    let bytes = 0
    for (const row of store.outbox) {
      if (row.id <= position) continue
      count += row.count
      bytes += bytesOf(row)
      if (taken.length > 0 && (count > most.outcomes || bytes > most.bytes)) break
      taken.push(row)
    }
    const last = taken.at(-1)
    return last === undefined
      ? null
      : { lastId: last.id, outcomes: taken.flatMap(row => outcomesOf(store, row)) }
  }
  return {
    next: (position, most) => store.transaction(() => next(position, most)),
    position: publisher =>
      store.transaction(() => ({
        published: store.published.get(publisher) ?? 0n,
        end: store.counters.lastOutboxId,
      })),
    published: (publisher, position) =>
      store.transaction(() => {
        const before = store.published.get(publisher) ?? 0n
        store.published.set(publisher, position > before ? position : before)
        const kept = store.outbox.findIndex(row => row.id > position)
        store.outbox.splice(0, kept < 0 ? store.outbox.length : kept)
      }),
  }
}
