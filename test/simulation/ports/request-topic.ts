/**
 * The topic of requests in virtual time, with its consumer group. Members learn of a rebalance one after the other, so
 * for a while two of them may read the same partition. A member that is silent for too long is put out of the group.
 */
import { BehaviorSubject, defer, of } from 'rxjs'
import type { RequestSource, SourceHealth, SourceRecord } from '../../../src/ports/request-source'
import { endOf } from '../../support/place-in-memory'
import type { Clock, Owner } from '../clock'
import type { Draw } from '../draw'
import { createReader, type Member, type Partition } from './topic-reader'

export interface RequestTopicOptions {
  readonly clock: Pick<Clock, 'after' | 'as' | 'world'>
  readonly draw: Draw
  readonly topic: string
  readonly partitions: number
  /** How long a member may be silent, ms. */
  readonly sessionMs: number
  readonly chunkRecords: number
  /** One way, ms. */
  readonly latencyMs: () => number
}

export type NewRecord = Omit<SourceRecord, 'position'>

export interface RequestTopic {
  source(owner: Owner): RequestSource
  produce(partition: number, record: NewRecord): void
  /** Retention: deletes what lies before `offset`. */
  deleteBefore(partition: number, offset: bigint): void
  /** Deletes the topic and makes it anew. Gives the records it had from these offsets on, by partition. */
  makeAnew(from: (partition: number) => bigint): readonly (readonly NewRecord[])[]
  /** Where each partition begins, and what the group has committed of it. */
  marks(): readonly { readonly partition: number; readonly low: bigint; readonly committed: bigint | null }[]
  /** Deals the partitions out anew. */
  rebalance(): void
  /** The process was killed or frozen. It is put out of the group unless it is woken in time. */
  silent(owner: Owner): void
  /** The process was woken. */
  heard(owner: Owner): void
}

export const createRequestTopic = (options: RequestTopicOptions): RequestTopic => {
  const { clock, draw, topic, chunkRecords, latencyMs } = options
  const partitions: Partition[] = Array.from({ length: options.partitions }, () => ({
    records: [],
    low: 0n,
    committed: null,
  }))
  const members = new Set<Member>()
  let generation = 0
  const silentSince = new Map<Owner, symbol>()
  const putOut = new Map<Owner, Set<Member>>()

  const partitionOf = (number: number): Partition => {
    const partition = partitions[number]
    if (partition === undefined) throw new Error(`no partition ${number}`)
    return partition
  }

  const tell = (member: Member, act: () => void): void =>
    clock.after(clock.world, latencyMs(), () => clock.as(member.owner, act))

  const rebalance = (): void => {
    const list = [...members]
    const shift = draw.between(0, Math.max(0, list.length - 1))
    generation += 1
    const dealt = generation
    for (const [at, member] of list.entries()) {
      const assigned = partitions.flatMap((_, number) =>
        (number + shift) % list.length === at ? [number] : [],
      )
      tell(member, () => member.assign(assigned, dealt))
    }
  }
  const join = (member: Member): void => {
    members.add(member)
    rebalance()
  }
  const leave = (member: Member): void => {
    putOut.get(member.owner)?.delete(member)
    if (members.delete(member)) rebalance()
  }

  const readerDeps = { clock, topic, chunkRecords, latencyMs, partitionOf, join, leave }

  return {
    source: owner => {
      const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })
      return {
        clusterId: () => of('simulated'),
        committed: () =>
          defer(() => {
            const offsets = partitions.flatMap(({ committed }, number) =>
              committed === null ? [] : [[number, committed] as const],
            )
            return of({ clusterId: 'simulated', topic, offsets: new Map(offsets) })
          }),
        chunks: createReader({ ...readerDeps, owner, health }),
        health$: health.asObservable(),
      }
    },
    produce: (number, record) => {
      const partition = partitionOf(number)
      partition.records.push({ ...record, position: { topic, partition: number, offset: endOf(partition) } })
      for (const member of members) tell(member, () => member.wake(number))
    },
    deleteBefore: (number, offset) => {
      partitionOf(number).low = offset
    },
    makeAnew: from => {
      const unread = partitions.map(({ records }, partition) => records.slice(Number(from(partition))))
      for (const partition of partitions) {
        partition.records.length = 0
        partition.low = 0n
        partition.committed = null
      }
      rebalance()
      return unread
    },
    marks: () => partitions.map(({ low, committed }, partition) => ({ partition, low, committed })),
    rebalance,
    silent: owner => {
      const since = Symbol()
      silentSince.set(owner, since)
      clock.after(clock.world, options.sessionMs, () => {
        if (silentSince.get(owner) !== since) return
        const gone = [...members].filter(member => member.owner === owner)
        putOut.set(owner, new Set(gone))
        for (const member of gone) members.delete(member)
        if (gone.length > 0) rebalance()
      })
    },
    heard: owner => {
      silentSince.delete(owner)
      for (const member of putOut.get(owner) ?? []) members.add(member)
      if (putOut.delete(owner)) rebalance()
    },
  }
}
