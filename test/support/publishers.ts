import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { OutboxLimits } from '../../src/ports/journal'
import type { SinkTopics } from './kafka-sink'
import type { TcpProxy } from './tcp-proxy'

export interface PublisherOptions {
  readonly brokers: readonly string[]
  readonly databaseUrl: string
  readonly topics: SinkTopics
  readonly publisher: string
  readonly most: OutboxLimits
  readonly how: 'transactional' | 'plain'
}

export interface PublisherProcess {
  kill(signal: NodeJS.Signals): void
  /** The exit status, or the signal that ended it, with what it said. */
  readonly ended: Promise<readonly [number | NodeJS.Signals, string]>
}

const root = join(__dirname, '../..')

export const startPublisher = (options: PublisherOptions): PublisherProcess => {
  const child = spawn(
    process.execPath,
    [
      ...['--require', join(root, 'scripts/typescript.cjs')],
      ...[join(__dirname, 'publisher-process.ts'), JSON.stringify(options)],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } },
  )
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString()
  })
  return {
    kill: signal => child.kill(signal),
    ended: once(child, 'close').then(([code, signal]) => [code ?? signal, said] as const),
  }
}

/** Kafka's numbers of requests. */
export const requests = {
  produce: 0,
  addPartitions: 24,
  addOffsets: 25,
  endTransaction: 26,
  commitOffsets: 28,
} as const

export type RequestName = keyof typeof requests

/** The number of the request at the start of these bytes, after its length. */
const requestNumber = (bytes: Buffer): number => (bytes.length < 6 ? -1 : bytes.readInt16BE(4))

export interface Meeting {
  /** How many requests of the kind `counted` pass before. */
  readonly after: number
  /** Default: `commitOffsets`, of which each transaction has one. */
  readonly counted?: RequestName
  readonly request: RequestName
  /** What becomes of the bytes of that request. */
  readonly passage: 'pass' | 'drop' | 'cut' | 'last' | 'late'
}

const lateMs = 3_000

/** Calls `then` and resolves when the request passes. */
export const meet = (
  link: TcpProxy,
  { after, counted = 'commitOffsets', request, passage }: Meeting,
  then: () => void,
): Promise<void> =>
  new Promise(resolve => {
    let through = 0
    let isMet = false
    link.inspect((bytes, direction) => {
      if (direction === 'down' || isMet) return 'pass'
      const number = requestNumber(bytes)
      if (through < after) {
        if (number === requests[counted]) through += 1
        return 'pass'
      }
      if (number !== requests[request]) return 'pass'
      isMet = true
      then()
      resolve()
      if (passage !== 'late') return passage
      link.delay(lateMs)
      return 'pass'
    })
  })
