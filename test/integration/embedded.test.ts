import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startEmbeddedPostgres } from '../../src/tools/embedded/postgres'
import { createTestDatabase } from '../support/database'
import {
  createTopics,
  deleteTopics,
  describeKafka,
  produceRecords,
  testBrokers,
  uniqueTopic,
} from '../support/kafka'
import { readTopic } from '../support/read-topic'

const ask = async (url: string, sql: string): Promise<unknown[][]> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

const postmasterPid = async (dataDir: string): Promise<number> =>
  Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])

/** Resolves when the server has closed a connection: the process on the other side is gone. */
const closedBy = (url: string, act: () => unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    const client = new Client({ connectionString: url })
    client.on('error', () => undefined)
    client.on('end', () => resolve())
    client.connect().then(act, reject)
  })

describe('embedded PostgreSQL', () => {
  let place: string

  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'with spaces and ünicode '))
  })

  afterEach(() => rm(place, { recursive: true, force: true }))

  it('keeps the data of a directory across a stop, a kill and the same password', async () => {
    const dataDir = join(place, 'data dir')
    const first = await startEmbeddedPostgres({ dataDir })
    await ask(first.url, 'create table kept (value int)')
    await ask(first.url, 'insert into kept values (1)')
    await first.stop()

    const second = await startEmbeddedPostgres({ dataDir })
    expect(await ask(second.url, 'select value from kept')).toEqual([[1]])
    await ask(second.url, 'insert into kept values (2)')
    const pid = await postmasterPid(dataDir)
    await closedBy(second.url, () => process.kill(pid, 'SIGKILL'))
    await second.stop()

    const third = await startEmbeddedPostgres({ dataDir })
    expect(await ask(third.url, 'select value from kept order by value')).toEqual([[1], [2]])
    expect(new URL(third.url).password).toBe(new URL(first.url).password)
    await third.stop()
    await expect(ask(third.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
  })

  it('refuses a directory that is in use, and names the process', async () => {
    const server = await startEmbeddedPostgres({ dataDir: place })
    try {
      await expect(startEmbeddedPostgres({ dataDir: place })).rejects.toThrow(
        `is in use by another process (${process.pid})`,
      )
      expect(await ask(server.url, 'select 1')).toEqual([[1]])
    } finally {
      await server.stop()
    }
  })

  it('gives a directory to one of two servers that start on it at once', async () => {
    const starts = await Promise.allSettled([0, 1].map(() => startEmbeddedPostgres({ dataDir: place })))
    const started = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []))
    expect(started).toHaveLength(1)
    await Promise.all(started.map(server => server.stop()))
    expect(await readdir(place)).toEqual(['postgres'])
  })

  it('starts though a stale pid file names a living process', async () => {
    const first = await startEmbeddedPostgres({ dataDir: place })
    const file = join(place, 'postgres', 'postmaster.pid')
    const text = await readFile(file, 'utf8')
    await first.stop()
    await writeFile(file, text.replace(/^\d+/, String(process.ppid)))
    const second = await startEmbeddedPostgres({ dataDir: place })
    expect(await ask(second.url, 'select 1')).toEqual([[1]])
    await second.stop()
  })

  it('runs temporary servers side by side and removes what they wrote', async () => {
    const lines: string[] = []
    const servers = await Promise.all(
      [0, 1].map(() => startEmbeddedPostgres({ log: line => lines.push(line) })),
    )
    const homes = await Promise.all(servers.map(({ url }) => ask(url, "select current_setting('port')")))
    expect(new Set(homes.flat(2)).size).toBe(2)
    await Promise.all(servers.map(server => server.stop()))
    for (const { url } of servers) expect(lines.join('\n')).not.toContain(new URL(url).password)
  })
})

describe('a database of the run’s server', () => {
  it('is empty, belongs to one test, and is gone after drop though a session is open', async () => {
    const database = await createTestDatabase()
    expect(
      await ask(database.url, "select count(*)::int from pg_tables where schemaname = 'public'"),
    ).toEqual([[0]])
    const dropped: Promise<void>[] = []
    await closedBy(database.url, () => dropped.push(database.drop()))
    await Promise.all(dropped)
    await expect(ask(database.url, 'select 1')).rejects.toThrow('does not exist')
  })
})

/** Asks which requests a broker knows: API key 18, version 0, correlation id 7, no client id. */
const askApiVersions = (broker: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const [host = '', port = ''] = broker.split(':')
    const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])
    const socket = connect(Number(port), host, () => socket.write(request))
    socket.once('error', reject)
    socket.once('data', answer => {
      socket.destroy()
      resolve(answer)
    })
  })

describeKafka('embedded Kafka', () => {
  it('answers an ApiVersions request', async () => {
    const answer = await askApiVersions(testBrokers()?.[0] ?? '')
    expect(answer.readInt32BE(4)).toBe(7)
    expect(answer.readInt16BE(8)).toBe(0)
    expect(answer.readInt32BE(10)).toBeGreaterThan(30)
  })

  it('keeps what is produced and reads back what was committed', async () => {
    const topic = uniqueTopic('embedded')
    await createTopics([topic], 2)
    await produceRecords(topic, [
      { partition: 1, key: 'b', value: '2', headers: { kind: 'test' } },
      { partition: 0, key: 'a', value: '1' },
      { partition: 1, key: 'c', value: null },
    ])
    const records = await readTopic(topic)
    const seen = records.map(({ partition, offset, key, value }) => [
      partition,
      offset,
      key?.toString(),
      value?.toString(),
    ])
    expect(seen).toEqual([
      [0, 0n, 'a', '1'],
      [1, 0n, 'b', '2'],
      [1, 1n, 'c', undefined],
    ])
    expect(records[1]?.headers.kind?.toString()).toBe('test')
    await deleteTopics([topic])
  })
})
