import type { SourceChunk, SourceRecord } from '../../ports/request-source'

/** How the subscriber ended a chunk. `withdrawn`: the source stopped first. */
export type ChunkEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'withdrawn' }
  | { readonly kind: 'failed'; readonly reason: unknown }

/** Chunks handed to the subscriber and not ended yet. */
export interface OfferedChunks {
  /** Hands over one chunk and resolves when it has ended. Never rejects. */
  offer(topic: string, partition: number, records: readonly SourceRecord[]): Promise<ChunkEnd>
  /** Waits so long, or until withdrawn. */
  pause(ms: number): Promise<void>
  /** Ends everything: what is outstanding counts as not durable, and nothing more is offered. */
  withdraw(): void
  readonly withdrawn: () => boolean
}

export const createOfferedChunks = (emit: (chunk: SourceChunk) => void): OfferedChunks => {
  const endings = new Set<() => void>()
  let isWithdrawn = false

  /** A promise that the teardown can end too. */
  const endable = <T>(ifWithdrawn: T, start: (end: (value: T) => void) => void): Promise<T> =>
    new Promise(resolve => {
      if (isWithdrawn) return resolve(ifWithdrawn)
      const end = (value: T): void => {
        endings.delete(withdraw)
        resolve(value)
      }
      const withdraw = (): void => end(ifWithdrawn)
      endings.add(withdraw)
      return start(end)
    })

  return {
    offer: (topic, partition, records) =>
      endable<ChunkEnd>({ kind: 'withdrawn' }, end =>
        emit({
          topic,
          partition,
          records,
          done: () => end({ kind: 'done' }),
          fail: reason => end({ kind: 'failed', reason }),
        }),
      ),
    pause: async ms => {
      let timer: NodeJS.Timeout | undefined
      await endable<void>(undefined, end => {
        timer = setTimeout(end, ms)
      })
      clearTimeout(timer)
    },
    withdraw: () => {
      isWithdrawn = true
      for (const end of [...endings]) end()
    },
    withdrawn: () => isWithdrawn,
  }
}
