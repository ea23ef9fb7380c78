import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CliProcess, startSimulator } from './cli-process'
import { createTestDatabase, type TestDatabase } from './database'

export const moveCredentials = {
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'move',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'move-secret',
}

/** The list of devices that `move` and `submit` read, all on one route. */
export const csvOf = (devices: readonly string[]): string =>
  [
    'deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
    ...devices.map(name => `${name},a1BwAGVexmp,iot-a,iot-b,1984000000000001`),
  ].join('\n')

/** The same columns and their `requestId`, numbered from 0. */
export const requestsCsv = (requests: number, idPrefix = ''): string =>
  [
    'requestId,deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
    ...Array.from(
      { length: requests },
      (_, n) => `${idPrefix}r${n},${idPrefix}meter-${n},a1BwAGVexmp,iot-a,iot-b,1984000000000001`,
    ),
  ].join('\n')

/** A final result as `move` writes it. */
export interface ResultLine {
  readonly id: string
  readonly deviceName: string
  readonly outcome: string
  readonly final: boolean
}

export const resultsIn = async (path: string): Promise<ResultLine[]> =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as ResultLine)

/** What each case of `move` has for itself. Its parts are there once the case has begun. */
export interface MoveStage {
  /** Its name has a space in it. */
  readonly directory: string
  readonly endpoint: string
  environmentOn(database: TestDatabase): Record<string, string>
  /** A database without a schema. It is dropped after the case. */
  emptyDatabase(): Promise<TestDatabase>
  /** The simulator's own count of moves. */
  truth(): Promise<unknown>
  killSimulator(): Promise<void>
  /** Another one in the same place, with nothing of the first one's memory. */
  restartSimulator(): Promise<void>
}

/** Gives every case of the `describe` around it a directory and a simulator, whose jobs take `baseMs`. */
export const useMoveStage = (baseMs: number): MoveStage => {
  const flags = ['--init-ms', '0', '--base-ms', String(baseMs), '--per-device-ms', '0']
  let directory = ''
  let endpoint = ''
  let simulator: CliProcess
  const databases: TestDatabase[] = []
  const killSimulator = async (): Promise<void> => {
    simulator.kill('SIGKILL')
    await simulator.ended
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'device move '))
    const started = await startSimulator(flags, moveCredentials)
    simulator = started.process
    endpoint = started.url
  })
  afterEach(async () => {
    await killSimulator()
    for (const database of databases.splice(0)) await database.drop()
    await rm(directory, { recursive: true, force: true })
  })
  const environmentOn = (database: TestDatabase) => ({
    ...moveCredentials,
    IOT_ENDPOINT: endpoint,
    DATABASE_URL: database.url,
    BATCH_MAX_WAIT_MS: '200',
  })
  return {
    get directory() {
      return directory
    },
    get endpoint() {
      return endpoint
    },
    environmentOn,
    emptyDatabase: async () => {
      const database = await createTestDatabase()
      databases.push(database)
      return database
    },
    truth: async () => (await fetch(`${endpoint}/_simulator/truth`)).json(),
    killSimulator,
    restartSimulator: async () => {
      const started = await startSimulator(['--port', new URL(endpoint).port], moveCredentials)
      simulator = started.process
    },
  }
}
