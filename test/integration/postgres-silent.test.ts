import pino from 'pino'
import { filter, firstValueFrom, ReplaySubject, type Subscription } from 'rxjs'
import { loadConfig } from '../../src/config'
import { openDatabase } from '../../src/open-database'
import { type LeaseState, TransientError } from '../../src/ports'
import { inTransaction } from '../../src/postgres/in-transaction'
import { createLease } from '../../src/postgres/lease'
import { createPool, type Pool } from '../../src/postgres/pool'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

type Held = Extract<LeaseState, { kind: 'held' }>

describe('a database that falls silent', () => {
  let database: JournalDatabase
  let proxy: TcpProxy
  let pool: Pool

  const viaProxy = (): string => {
    const url = new URL(database.url)
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    return url.href
  }

  beforeEach(async () => {
    database = await createJournalDatabase({ onError: () => undefined })
    proxy = await startTcpProxy(Number(new URL(database.url).port))
    pool = createPool(viaProxy(), {
      max: 1,
      onError: () => undefined,
      statementMs: 300,
      answerMs: 500,
    })
  })
  afterEach(async () => {
    await pool.end()
    await proxy.close()
    await database.drop()
  })

  it('hangs no transaction, and the next one has another connection', async () => {
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

  it('keeps no report waiting as long as a statement may take', async () => {
    const loaded = loadConfig({ DATABASE_URL: viaProxy() })
    if (!loaded.ok) throw new Error(loaded.problems.join('; '))
    const logger = pino({ level: 'silent' })
    const opened = await openDatabase(loaded.config, { migrate: false, logger, isStopping: () => false })
    try {
      expect(await opened.conservation()).toMatchObject({ gap: 0 })
      proxy.swallow('both')
      expect(await opened.conservation()).toBeNull()
      expect(await opened.status()).toBeNull()
    } finally {
      proxy.cut()
      await opened.close()
    }
  }, 20_000)

  it('stops the calls of the holder of the lease before another can take it', async () => {
    const timing = { leaseMs: 2_000, renewEveryMs: 200, quotaWindowMs: 50 }
    const subscriptions: Subscription[] = []
    const contend = (url: string, holder: string) => {
      const lease = createLease(url, { holder, ...timing })
      const states$ = new ReplaySubject<LeaseState>()
      subscriptions.push(lease.hold(() => true).subscribe(states$))
      const nextHeld = () =>
        firstValueFrom(states$.pipe(filter((state): state is Held => state.kind === 'held')))
      const standingBy = (whose: string) =>
        firstValueFrom(states$.pipe(filter(state => state.kind === 'standing-by' && state.holder === whose)))
      return { lease, nextHeld, standingBy }
    }
    const first = contend(viaProxy(), 'first')
    const { epoch, mayCall } = await first.nextHeld()
    const second = contend(database.url, 'second')
    await second.standingBy('first')
    proxy.swallow('both')
    const successor = await second.nextHeld()
    expect(mayCall()).toBe(false)
    expect(successor.epoch).toBe(epoch + 1n)
    proxy.heal()
    await first.standingBy('second')
    for (const subscription of subscriptions) subscription.unsubscribe()
    await second.lease.closed()
  })
})
