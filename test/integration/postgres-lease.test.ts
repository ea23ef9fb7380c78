import { Client } from 'pg'
import { filter, firstValueFrom, ReplaySubject, type Subscription, skip, skipWhile } from 'rxjs'
import type { LeaseState } from '../../src/ports/lease'
import { createLease, type LeaseOptions } from '../../src/postgres/lease/postgres-lease'
import { createChanges } from '../../src/postgres/session/changes'
import { createPool, sessionConfig, sessionNameOf } from '../../src/postgres/session/session'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { whileLocked } from '../support/journal-locks'
import { until } from '../support/until'

/** An answer may take as long as the interval of renewals, which is long here for busy machines. */
const timing = { leaseMs: 10_000, renewEveryMs: 1_000, quotaWindowMs: 100 }

type Held = Extract<LeaseState, { kind: 'held' }>
const isHeld = (state: LeaseState): state is Held => state.kind === 'held'

describe('the lease', () => {
  let database: JournalDatabase
  const open: Subscription[] = []

  /** Starts a process that wants the lease, whose states can be waited for. */
  const contend = (holder: string, idle = true, more: Partial<LeaseOptions> = {}) => {
    const lease = createLease(database.url, { holder, ...timing, ...more })
    const states$ = new ReplaySubject<LeaseState>()
    const subscription = lease.hold(() => idle).subscribe(states$)
    open.push(subscription)
    const held = firstValueFrom(states$.pipe(filter(isHeld)))
    const afterHeld = () =>
      firstValueFrom(
        states$.pipe(
          skipWhile(state => !isHeld(state)),
          skip(1),
        ),
      )
    /** It may have reported failed tries before. */
    const standingBy = (whose: string | null) =>
      firstValueFrom(states$.pipe(filter(state => state.kind === 'standing-by' && state.holder === whose)))
    return { lease, held, afterHeld, standingBy, stop: () => subscription.unsubscribe() }
  }
  const row = async () => {
    const { rows } = await database.pool.query<{ epoch: bigint; holder: string; expired: boolean }>(
      'select epoch, holder, expires_at <= now() as expired from lease',
    )
    if (rows[0] === undefined) throw new Error('no lease')
    return rows[0]
  }
  /** Server processes of a holder's sessions. */
  const sessions = async (holder: string) => {
    const { rows } = await database.pool.query<{ pid: number }>(
      'select pid from pg_stat_activity where application_name = $1 and datname = current_database()',
      [sessionNameOf(holder)],
    )
    return rows.map(({ pid }) => pid)
  }

  beforeEach(async () => {
    database = await createJournalDatabase({ onError: () => undefined })
  })
  afterEach(async () => {
    for (const subscription of open.splice(0)) subscription.unsubscribe()
    await database.drop()
  })

  it('goes to one of two processes, and to the other as soon as it is given back', async () => {
    const first = contend('first')
    const { epoch, mayCall } = await first.held
    expect(mayCall()).toBe(true)
    const second = contend('second')
    await second.standingBy('first')
    first.stop()
    expect(mayCall()).toBe(false)
    await first.lease.stop()
    expect((await second.held).epoch).toBeGreaterThan(epoch)
    expect(await row()).toMatchObject({ holder: 'second', expired: false })
  })

  it('is kept until it expires when calls are under way as it ends', async () => {
    const first = contend('first', false)
    await first.held
    first.stop()
    await first.lease.stop()
    expect((await row()).expired).toBe(false)
  })

  it('is renewed for as long as it is wanted, over another connection if the first breaks', async () => {
    const first = contend('first')
    const { epoch, mayCall } = await first.held
    const [pid] = await sessions('first')
    await database.pool.query('select pg_terminate_backend($1)', [pid])
    await until(async () => (await sessions('first')).some(other => other !== pid))
    expect(await row()).toMatchObject({ epoch, holder: 'first', expired: false })
    expect(mayCall()).toBe(true)
  })

  it('is lost as soon as another epoch is stored', async () => {
    const first = contend('first')
    const { mayCall } = await first.held
    await database.pool.query(
      `update lease set epoch = epoch + 1, holder = 'thief', expires_at = now() + interval '1 hour'`,
    )
    expect(await first.afterHeld()).toEqual({ kind: 'standing-by', holder: null })
    expect(mayCall()).toBe(false)
    await first.standingBy('thief')
  })

  it('allows no calls once it may have expired because the database has not answered', async () => {
    const first = contend('first', true, { leaseMs: 2_500 })
    const { mayCall } = await first.held
    // A renewal hangs behind this lock.
    await whileLocked(database.pool, 'lock table lease in access exclusive mode', async () => {
      await first.afterHeld()
      expect(mayCall()).toBe(false)
    })
  })

  it('allows no calls when the wall clock says that it is over', async () => {
    const { mayCall } = await contend('first').held
    const realNow = Date.now
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => realNow() + 3_600_000)
    expect(mayCall()).toBe(false)
    clock.mockRestore()
    expect(mayCall()).toBe(true)
  })

  it('is taken from a frozen holder, whose sessions are all ended first', async () => {
    const frozen = createPool(database.url, {
      max: 2,
      onError: () => undefined,
      name: sessionNameOf('frozen'),
    })
    const held = await frozen.connect()
    await database.pool.query(`update lease set epoch = 5, holder = 'frozen', expires_at = clock_timestamp()`)
    // This session was opened after the holder's last statement.
    const late = await frozen.connect()
    const gone = [held, late].map(client => new Promise<Error>(resolve => client.once('error', resolve)))
    await held.query('begin; select from lease for key share')
    await late.query('begin; select from route for share')
    expect((await contend('taker').held).epoch).toBeGreaterThan(5n)
    expect(String(await Promise.all(gone))).toMatch(/administrator command.*administrator command/)
    for (const client of [held, late]) client.release(true)
    await frozen.end()
  })

  it('is taken from a holder frozen while the server was answering it', async () => {
    const frozen = new Client(sessionConfig(database.url, { name: sessionNameOf('frozen') }))
    const gone = new Promise(resolve => frozen.once('end', resolve))
    frozen.on('error', () => undefined)
    await frozen.connect()
    await database.pool.query(`update lease set epoch = 5, holder = 'frozen', expires_at = clock_timestamp()`)
    await frozen.query('begin; select from lease for key share')
    // The answer is larger than the buffers of the network, so the server waits for its client without any limit.
    frozen.connection.stream.pause()
    const unread = frozen.query(`select repeat('x', 1000) from generate_series(1, 100000)`).catch(() => null)
    await until(async () => {
      const { rowCount } = await database.pool.query(
        `select from pg_stat_activity where wait_event = 'ClientWrite' and application_name = $1`,
        [sessionNameOf('frozen')],
      )
      return rowCount === 1
    })
    expect((await contend('taker').held).epoch).toBeGreaterThan(5n)
    frozen.connection.stream.resume()
    await Promise.all([unread, gone])
  })

  it('does not end the sessions of a holder that has given it back', async () => {
    const stopping = createPool(database.url, {
      max: 1,
      onError: () => undefined,
      name: sessionNameOf('first'),
    })
    const client = await stopping.connect()
    const first = contend('first')
    await first.held
    first.stop()
    await first.lease.stop()
    await contend('second').held
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    client.release()
    await stopping.end()
  })

  it('is taken as soon as it has ended, however long the interval between two looks is', async () => {
    await database.pool.query(
      `update lease set epoch = 5, holder = 'dead', expires_at = clock_timestamp() + interval '500 milliseconds'`,
    )
    expect((await contend('taker', true, { renewEveryMs: 3_600_000 }).held).epoch).toBeGreaterThan(5n)
  })

  it('is not taken by a statement whose sender has stopped waiting', async () => {
    await database.pool.query(`update lease set epoch = 5, expires_at = '-infinity'`)
    const taker = await whileLocked(database.pool, 'select from lease for key share', async release => {
      const waiting = contend('taker')
      // It has given up its first connection.
      await waiting.standingBy(null)
      await release()
      return waiting
    })
    expect((await taker.held).epoch).toBeGreaterThan(5n)
  })
})

describe('notifications of changes', () => {
  let database: JournalDatabase

  beforeAll(async () => {
    database = await createJournalDatabase({ onError: () => undefined })
  })
  afterAll(() => database.drop())

  const listeners = `select pid from pg_stat_activity where datname = current_database() and query = 'listen device_move'`

  it('arrive after a lost connection too', async () => {
    const changes$ = createChanges(database.url)
    const heard$ = new ReplaySubject<void>()
    const subscription = changes$.subscribe(heard$)
    const heard = (count: number) => firstValueFrom(heard$.pipe(skip(count - 1)))
    await heard(1)
    await database.pool.query(`notify device_move`)
    await heard(2)
    await database.pool.query(`select pg_terminate_backend(pid) from (${listeners}) l`)
    await heard(3)
    await database.pool.query(`notify device_move`)
    await heard(4)
    subscription.unsubscribe()
    await until(async () => (await database.pool.query(listeners)).rowCount === 0)
  })
})
