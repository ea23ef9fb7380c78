import pino from 'pino'
import { filter, firstValueFrom, ReplaySubject, type Subscription } from 'rxjs'
import { loadConfig } from '../../src/app/config'
import { openDatabase } from '../../src/app/open-database'
import { TransientError } from '../../src/ports/errors'
import type { LeaseState } from '../../src/ports/lease'
import { createLease } from '../../src/postgres/lease/postgres-lease'
import { createPool, type Pool } from '../../src/postgres/session/session'
import { inTransaction } from '../../src/postgres/session/transaction'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

type Held = Extract<LeaseState, { kind: 'held' }>

describe('a database that falls silent', () => {
  let database: JournalDatabase
  let proxy: TcpProxy
  let pool: Pool
  /** A process that wants the lease would try for ever after a failed test and keep Jest from ending. */
  let wanting: Subscription[]

  const viaProxy = (): string => {
    const url = new URL(database.url)
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    return url.href
  }

  beforeEach(async () => {
    database = await createJournalDatabase({ onError: () => undefined })
    proxy = await startTcpProxy(Number(new URL(database.url).port))
    wanting = []
    pool = createPool(viaProxy(), {
      max: 1,
      onError: () => undefined,
      statementMs: 1_000,
      answerMs: 1_500,
    })
  })
  afterEach(async () => {
    for (const subscription of wanting) subscription.unsubscribe()
    await pool.end()
    await proxy.close()
    await database.drop()
  })

  it('blocks no transaction, and the next transaction has another connection', async () => {
    const asked = (silently: boolean) =>
      firstValueFrom(
        inTransaction(pool, async client => {
          await client.query('select from lease for key share')
          if (silently) proxy.swallow('both')
          return (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid
        }),
      )
    const before = await asked(false)
    await expect(asked(true)).rejects.toThrow(TransientError)
    proxy.heal()
    expect(await asked(false)).not.toBe(before)
  })

  it('delays a report by less than a statement may take', async () => {
    const loaded = loadConfig({ DATABASE_URL: viaProxy() })
    if (!loaded.ok) throw new Error(loaded.problems.join('; '))
    const logger = pino({ level: 'silent' })
    const opened = await openDatabase(loaded.config, { migrate: false, logger, isStopping: () => false })
    try {
      const { status } = opened.reads
      expect(await status()).toMatchObject({ database: { moves: { gap: 0 } }, problem: null })
      proxy.swallow('both')
      // What was read just now serves for a moment.
      let reading = await status()
      await until(async () => {
        reading = await status()
        return reading.database === null
      })
      expect(reading).toEqual({ database: null, ageMs: null, problem: 'the database does not answer' })
    } finally {
      proxy.cut()
      await opened.stop()
    }
  }, 20_000)

  it('stops the calls of the holder of the lease before another can take it', async () => {
    // An answer may take as long as the interval of renewals, which is long here for busy machines.
    const timing = { leaseMs: 4_000, renewEveryMs: 1_000, quotaWindowMs: 50 }
    const contend = (url: string, holder: string) => {
      const lease = createLease(url, { holder, ...timing })
      const states$ = new ReplaySubject<LeaseState>()
      wanting.push(lease.hold(() => true).subscribe(states$))
      const nextHeld = () =>
        firstValueFrom(states$.pipe(filter((state): state is Held => state.kind === 'held')))
      const standingBy = (whose: string) =>
        firstValueFrom(states$.pipe(filter(state => state.kind === 'standing-by' && state.holder === whose)))
      return { nextHeld, standingBy }
    }
    const first = contend(viaProxy(), 'first')
    const { epoch, mayCall } = await first.nextHeld()
    const second = contend(database.url, 'second')
    await second.standingBy('first')
    proxy.swallow('both')
    const successor = await second.nextHeld()
    expect(mayCall()).toBe(false)
    expect(successor.epoch).toBeGreaterThan(epoch)
    proxy.heal()
    await first.standingBy('second')
  })
})
