import { createPool, type Pool } from '../../src/postgres/session/session'
import type { CliProcess } from '../support/cli-process'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

jest.setTimeout(90_000)

/** The simulator enforces the quota: two calls in any second, from all replicas together. */
const provider = ['--qps', '2', '--init-ms', '50', '--base-ms', '300', '--per-device-ms', '0.05']
/** Events of the driver only. `call-ended` is not one: a woken replica may still report an answer, to no effect. */
const drives = /"(batch-claimed|job-created|job-ended|job-settled|create-reconciled|published)"/

interface Replica {
  readonly process: CliProcess
  /** The link to the provider that only this replica uses. */
  readonly proxy: TcpProxy
  /** The instant at which it last sent anything to the provider, ms of `performance.now()`. */
  lastCallAt(): number
  /** Resolves when it reports that it drives. */
  readonly held: Promise<unknown>
  /** Freezes it (SIGSTOP) as soon as the whole of its next create has left it. */
  freezeAtCreate(): Promise<void>
}

/** Says of each piece of what a client sends whether it completes a create. */
const createRecogniser = (): ((piece: Buffer) => boolean) => {
  let missing = 0
  return piece => {
    const text = piece.toString('latin1')
    const head = text.indexOf('\r\n\r\n')
    if (/x-acs-action: CreateDeviceDistributeJob/i.test(text) && head >= 0)
      missing = Number(/content-length: (\d+)/i.exec(text)?.[1]) - (text.length - head - 4)
    else if (missing > 0) missing -= text.length
    else return false
    return missing === 0
  }
}

describeKafka('of several replicas,', () => {
  let deployment: Deployment
  let replicas: Replica[]
  let pool: Pool

  const startReplica = async (): Promise<Replica> => {
    const proxy = await startTcpProxy(Number(new URL(deployment.simulatorUrl).port))
    let lastCallAt = Number.NEGATIVE_INFINITY
    let atCreate: (() => void) | null = null
    const isCreate = createRecogniser()
    proxy.inspect((bytes, direction) => {
      if (direction === 'down') return 'pass'
      lastCallAt = performance.now()
      if (isCreate(bytes)) atCreate?.()
      return 'pass'
    })
    const process = deployment.run({ IOT_ENDPOINT: `http://127.0.0.1:${proxy.port}`, LOG_LEVEL: 'debug' })
    const held = process.line(line => line.includes('"lease-held"'))
    // The replica may be killed before it ever holds the lease.
    held.catch(() => undefined)
    return {
      process,
      proxy,
      lastCallAt: () => lastCallAt,
      held,
      freezeAtCreate: () =>
        new Promise(resolve => {
          atCreate = () => {
            atCreate = null
            process.kill('SIGSTOP')
            resolve()
          }
        }),
    }
  }
  const driverOf = (among: readonly Replica[]): Promise<Replica> =>
    Promise.race(among.map(replica => replica.held.then(() => replica)))
  const othersThan = (one: Replica) => replicas.filter(replica => replica !== one)
  const movedAtLeast = (moved: number) =>
    until(async () => ((await deployment.conservation()).moved ?? 0) >= moved)

  const expectAllOnce = async (count: number) => {
    expect(await deployment.settled(count)).toMatchObject({ accepted: count, moved: count, gap: 0 })
    await deployment.published()
    const results = (await readTopic(deployment.topics.results)).map(
      ({ value }) => JSON.parse(String(value)) as { id: string; final: boolean },
    )
    expect(results.filter(({ final }) => final)).toHaveLength(count)
    expect(new Set(results.map(({ id }) => id)).size).toBe(results.length)
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0, moves: count })
    expect(await deployment.audit()).toMatchObject({ breaches: 0, signatureFailures: 0 })
  }

  beforeEach(async () => {
    deployment = await createDeployment(provider, { BATCH_MAX_DEVICES: '150' })
    pool = createPool(deployment.databaseUrl, { max: 2, onError: () => undefined })
    // Each batch has a route of its own, because creates of one route wait for each other.
    for (const target of ['a', 'b', 'c', 'd', 'e', 'f'])
      await deployment.submit(names(`meter-${target}`, 150), { targetInstanceId: `iot-target-${target}` })
    replicas = await Promise.all([startReplica(), startReplica(), startReplica()])
  })
  afterEach(async () => {
    await deployment.stop()
    await pool.end()
    for (const { proxy } of replicas) await proxy.close()
  })

  it('one drives, and another goes on when it is killed', async () => {
    const driver = await driverOf(replicas)
    await movedAtLeast(150)
    driver.process.kill('SIGKILL')
    const successor = await driverOf(othersThan(driver))
    await expectAllOnce(900)
    for (const idle of replicas.filter(one => one !== driver && one !== successor))
      expect(idle.lastCallAt()).toBe(Number.NEGATIVE_INFINITY)
  })

  it('another replaces a driver that is frozen in a transaction with a create under way and does nothing when it wakes', async () => {
    const driver = await driverOf(replicas)
    await driver.process.line(line => line.includes('"job-created"'))
    // The next step of a job waits in a transaction that holds the lease's key, and gets its lock while it is frozen.
    const nextJob = `select from job where job_id = (select min(job_id) from job where status = 'claimed') for update`
    await whileLocked(pool, nextJob, async () => {
      await sessionsWaiting(pool, '%job%')
      await driver.freezeAtCreate()
    })
    const said = driver.process.stderr.length
    // Every partition gets records, and those of the other replicas are taken in meanwhile.
    await deployment.submit(names('late', 300))
    await until(async () => ((await deployment.conservation()).accepted ?? 0) > 900)
    const successor = await driverOf(othersThan(driver))
    await successor.process.line(line => line.includes('"create-reconciled"') && line.includes('"adopted"'))
    const lastCallAt = driver.lastCallAt()
    driver.process.kill('SIGCONT')
    const { pid } = successor.process.child
    await driver.process.line(line => line.includes('"standing-by"') && line.includes(`/${pid}/`))
    await expectAllOnce(1_200)
    expect(driver.lastCallAt()).toBe(lastCallAt)
    expect(driver.process.stderr.slice(said).filter(line => drives.test(line))).toEqual([])
  })
})
