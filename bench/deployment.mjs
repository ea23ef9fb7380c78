// A whole deployment on this machine for measurements: PostgreSQL, Kafka, the simulator and the built service, the
// last two as processes of their own.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const { startEmbeddedPostgres } = require('../dist/tools/embedded/postgres.js')
const { startKafka } = require('../dist/tools/embedded/kafka.js')
const { createRequestProducer } = require('../dist/kafka/publisher/request-producer.js')
const { createPool } = require('../dist/postgres/session/session.js')
const { Kafka, logLevel } = require('kafkajs')

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const credentials = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'bench', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'bench-secret' }

const start = (args, environment, stderr = process.env.BENCH_LOG === undefined ? 'ignore' : 'inherit') => {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, ...credentials, ...environment },
    stdio: ['ignore', 'pipe', stderr],
  })
  const ended = new Promise(resolve => child.once('close', (code, signal) => resolve(code ?? signal)))
  return {
    child,
    ended,
    firstLine: () => new Promise(resolve => createInterface({ input: child.stdout }).once('line', resolve)),
  }
}

/** A way to `port` of this machine that counts what clients send over it. */
const startRelay = port =>
  new Promise(resolve => {
    let pieces = 0
    const server = createServer(client => {
      const target = connect(port)
      client.on('data', () => {
        pieces += 1
      })
      client.pipe(target).pipe(client)
      for (const [end, other] of [
        [client, target],
        [target, client],
      ])
        end.on('error', () => other.destroy()).on('close', () => other.destroy())
    }).listen(0, '127.0.0.1', () =>
      resolve({ port: server.address().port, pieces: () => pieces, close: () => server.close() }),
    )
  })

/** Highest resident memory of a process so far, MB (Linux). */
export const peakRssMb = pid =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

export const deploy = async ({ simulatorFlags = [], settings = {}, topic = `bench-${process.pid}` }) => {
  const [postgres, kafka] = await Promise.all([
    startEmbeddedPostgres(),
    startKafka({ brokers: (process.env.KAFKA_BROKERS ?? '').split(',').filter(Boolean) }),
  ])
  if (kafka.kind !== 'running') throw new Error(`no Kafka: ${kafka.reason}`)
  const requests = `${topic}.requests`
  const admin = new Kafka({
    brokers: kafka.brokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  }).admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: ['requests', 'results', 'dead-letter'].map(name => ({
      topic: `${topic}.${name}`,
      numPartitions: 6,
    })),
  })
  const simulator = start(['simulate', ...simulatorFlags], {})
  const { listening } = JSON.parse(await simulator.firstLine())
  const environment = {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_GROUP_ID: topic,
    KAFKA_REQUESTS_TOPIC: requests,
    KAFKA_RESULTS_TOPIC: `${topic}.results`,
    KAFKA_DEAD_LETTER_TOPIC: `${topic}.dead-letter`,
    DATABASE_URL: postgres.url,
    IOT_ENDPOINT: listening,
    HTTP_PORT: '0',
    ...settings,
  }
  const pool = createPool(postgres.url, { max: 2, onError: () => undefined })
  const replicas = []
  const relays = []
  const json = async path => (await fetch(`${listening}${path}`)).json()

  const conservation = async () => {
    const { rows } = await pool.query('select * from device_move.conservation')
    return Object.fromEntries(Object.entries(rows[0]).map(([name, value]) => [name, Number(value)]))
  }
  return {
    run: () => {
      const replica = start(['run'], environment)
      replicas.push(replica)
      return replica
    },
    /** A replica whose log can be waited for, and whose calls are counted. */
    runWatched: async () => {
      const relay = await startRelay(Number(new URL(listening).port))
      relays.push(relay)
      const replica = start(
        ['run'],
        { ...environment, IOT_ENDPOINT: `http://127.0.0.1:${relay.port}` },
        'pipe',
      )
      replicas.push(replica)
      const lines = createInterface({ input: replica.child.stderr })
      return {
        ...replica,
        /** Pieces of calls, not whole ones: 0 is none. */
        calls: relay.pieces,
        /** Resolves at the next event of this kind. */
        says: kind =>
          new Promise(resolve => {
            const look = line => {
              if (!line.includes(`"msg":"${kind}"`)) return
              lines.off('line', look)
              resolve(line)
            }
            lines.on('line', look)
          }),
      }
    },
    /** Devices spread over so many routes, one request each, numbered from `first`. */
    submit: async (devices, routes, first = 0) => {
      const producer = createRequestProducer({
        kafka: { brokers: kafka.brokers, clientId: 'bench', log: () => undefined },
        topic: requests,
      })
      for (let from = 0; from < devices; from += 5_000) {
        const records = Array.from({ length: Math.min(5_000, devices - from) }, (_, index) => {
          const n = first + from + index
          const deviceName = `meter-${String(n).padStart(7, '0')}`
          const request = {
            requestId: `bench/${n}`,
            deviceName,
            productKey: 'a1BwAGVexmp',
            sourceInstanceId: 'iot-060a02m5',
            targetInstanceId: `iot-cn-target${n % routes}`,
            targetUid: '1984000000000001',
          }
          return {
            key: Buffer.from(`a1BwAGVexmp/${deviceName}`),
            value: Buffer.from(JSON.stringify(request)),
            headers: {},
          }
        })
        await producer.send(records)
      }
      await producer.stop()
    },
    conservation: () => conservation().catch(() => null),
    /** The rows of the outbox that are still to be published. */
    unpublished: async () => Number((await pool.query('select count(*) as count from outbox')).rows[0].count),
    until: async isDone => {
      for (;;) {
        const counts = await conservation().catch(() => null)
        if (counts !== null && isDone(counts)) return counts
        await pause(100)
      }
    },
    /** Every committed record of the results topic: how many, and how many distinct ids and final ones. */
    results: async () => {
      const consumer = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).consumer({
        groupId: `${topic}.reader`,
        maxBytesPerPartition: 4 << 20,
      })
      const ends = new Map(
        (await admin.fetchTopicOffsets(`${topic}.results`))
          .filter(({ high, low }) => high !== low)
          .map(({ partition, high }) => [partition, BigInt(high)]),
      )
      const ids = new Set()
      let records = 0
      let finals = 0
      await consumer.connect()
      await consumer.subscribe({ topic: `${topic}.results`, fromBeginning: true })
      await new Promise(resolve => {
        consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
          const end = ends.get(payload.partition)
          if (end !== undefined && BigInt(payload.lastOffset) + 1n >= end) ends.delete(payload.partition)
          if (ends.size === 0) resolve()
        })
        consumer.run({
          eachBatch: async ({ batch, resolveOffset }) => {
            for (const { value, offset } of batch.messages) {
              const { id, final } = JSON.parse(String(value))
              ids.add(id)
              records += 1
              if (final) finals += 1
              resolveOffset(offset)
            }
          },
        })
      })
      await consumer.disconnect()
      return { records, distinct: ids.size, finals }
    },
    truth: () => json('/_simulator/truth'),
    audit: () => json('/_simulator/audit'),
    stop: async () => {
      for (const { child } of [...replicas, simulator]) child.kill('SIGKILL')
      await Promise.all([...replicas, simulator].map(({ ended }) => ended))
      for (const relay of relays) relay.close()
      await pool.end()
      await admin.disconnect()
      await kafka.stop()
      await postgres.stop()
    },
  }
}

export const print = rows => {
  const width = Math.max(...rows.map(([label]) => label.length))
  for (const [label, value, limit = ''] of rows)
    console.log(`  ${label.padEnd(width)}  ${String(value).padStart(12)}  ${limit}`)
}
