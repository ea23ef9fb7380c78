import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { firstValueFrom, take } from 'rxjs'
import { createMutations } from '../../src/http/mutations'
import { type HttpServer, startHttpServer } from '../../src/http/server'
import { createRouteControl } from '../../src/postgres/job/route-hold'
import { createChanges } from '../../src/postgres/session/changes'
import { createPool } from '../../src/postgres/session/session'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { emptyJournal, harnessOn } from '../support/journal-harness'
import { all, createJourney } from '../support/journal-journey'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'

const token = 'k7Q-right-token_0123456789'

describe('holding and releasing a route', () => {
  let database: JournalDatabase
  const journey = createJourney({
    open: async options => harnessOn(database.pool, options),
    close: async () => undefined,
  })
  const routes = () => createRouteControl(database.pool)

  beforeAll(async () => {
    database = await createJournalDatabase()
  })
  beforeEach(async () => {
    await emptyJournal(database.pool)
    await journey.open(all)
  })
  afterAll(() => database.drop())

  const route = async () => {
    const { rows } = await database.pool.query(
      'select route_id, pending::integer, held_at, held_reason from device_move.routes',
    )
    return rows[0]
  }
  const states = async () => {
    const { rows } = await database.pool.query('select state from device_move.moves order by device_name')
    return rows.map(({ state }) => state)
  }

  describe('in the journal,', () => {
    it('claims nothing new, lets what is bound go on, and shows it', async () => {
      await journey.append({ requestId: 'r1', devices: ['dev1'] })
      const job = await journey.claimJob()
      await journey.append({ requestId: 'r2', devices: ['dev2'] })
      const held = await firstValueFrom(routes().hold(job.routeId, 'target is full'))
      expect(held).toEqual({
        routeId: job.routeId,
        heldAt: expect.any(Date),
        heldKind: 'operator',
        heldReason: 'target is full',
        wasHeld: false,
      })
      expect(await route()).toMatchObject({ held_at: held?.heldAt, held_reason: 'target is full' })
      expect(await states()).toEqual(['in_flight', 'held'])
      await journey.finish(job)
      expect(await journey.claim()).toEqual({ kind: 'idle', wakeInMs: null })
      expect(await journey.at.conservation()).toMatchObject({ moved: 1, held: 1, pending: 0, gap: 0 })
      await firstValueFrom(routes().release(job.routeId))
      expect(await route()).toMatchObject({ held_at: null, held_reason: null })
      expect((await journey.claimJob()).moves.map(({ deviceName }) => deviceName)).toEqual(['dev2'])
    })

    it('changes nothing when done again, but for the reason, and says so', async () => {
      await journey.append({ requestId: 'r1', devices: ['dev1'] })
      const first = await firstValueFrom(routes().hold(1, 'one'))
      expect(first).toMatchObject({ wasHeld: false })
      const second = { ...first, heldReason: 'two', wasHeld: true }
      expect(await firstValueFrom(routes().hold(1, 'two'))).toEqual(second)
      // Without a new reason the old one stays.
      expect(await firstValueFrom(routes().hold(1, null))).toEqual(second)
      const free = { routeId: 1, heldAt: null, heldKind: null, heldReason: null }
      expect(await firstValueFrom(routes().release(1))).toEqual({ ...free, wasHeld: true })
      expect(await firstValueFrom(routes().release(1))).toEqual({ ...free, wasHeld: false })
      expect(await firstValueFrom(routes().hold(1, null))).toMatchObject({
        heldReason: 'held by an operator',
      })
    })

    it('lets intake append while a route is being held', async () => {
      await journey.append({ requestId: 'r1', devices: ['dev1'] })
      await whileLocked(database.pool, 'select from route for key share', async release => {
        expect(await firstValueFrom(routes().hold(1, 'x'))).toMatchObject({ heldReason: 'x' })
        await release()
      })
    })

    it('says when there is no such route', async () => {
      expect(await firstValueFrom(routes().hold(7, 'x'))).toBeNull()
      expect(await firstValueFrom(routes().release(7))).toBeNull()
    })

    it('waits for a claim under way, so that none comes after it', async () => {
      await journey.append({ requestId: 'r1', devices: ['dev1'] })
      await whileLocked(database.pool, 'select from claim_lock for update', async release => {
        const claimed = journey.claimJob()
        await sessionsWaiting(database.pool, '%claim_lock%')
        const held = firstValueFrom(routes().hold(1, 'x'))
        await sessionsWaiting(database.pool, '%claim_lock%', 2)
        await release()
        expect(await claimed).toMatchObject({ routeId: 1 })
        expect(await held).toMatchObject({ heldReason: 'x' })
      })
    })

    it('tells drivers of a release', async () => {
      await journey.append({ requestId: 'r1', devices: ['dev1'] })
      await firstValueFrom(routes().hold(1, 'x'))
      const told = new Promise<void>(resolve => {
        let changes = 0
        createChanges(database.url)
          .pipe(take(2))
          .subscribe(() => {
            changes += 1
            // The first notification says that the listener is connected.
            if (changes === 1) firstValueFrom(routes().release(1))
            else resolve()
          })
      })
      await told
    })
  })

  describe('over HTTP,', () => {
    let server: HttpServer | undefined
    const changes: unknown[] = []
    const errors: unknown[] = []

    const start = async (given: string | null = token, control = routes()): Promise<string> => {
      server = await startHttpServer('127.0.0.1', 0, {
        status: async () => ({}),
        readiness: async () => ({ ready: true, because: [] }),
        scrape: async () => ({ body: '', contentType: 'text/plain' }),
        mutations: createMutations({
          token: given,
          routes: () => control,
          onChange: (hold, from) => changes.push([hold.routeId, hold.heldReason, from]),
        }),
        onError: error => errors.push(error),
      })
      return server.url
    }
    afterEach(async () => {
      await server?.stop()
      changes.length = 0
      errors.length = 0
    })

    const post = async (url: string, init: RequestInit = {}) => {
      const response = await fetch(url, {
        method: 'POST',
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      })
      return { status: response.status, body: (await response.json()) as unknown }
    }
    const json = (reason: unknown): RequestInit => ({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason }),
    })

    beforeEach(() => journey.append({ requestId: 'r1', devices: ['dev1'] }))

    it('holds and releases with the token', async () => {
      const url = await start()
      expect(await post(`${url}/api/routes/1/hold`, json('target is full'))).toEqual({
        status: 200,
        body: {
          routeId: 1,
          heldAt: expect.any(String),
          heldKind: 'operator',
          heldReason: 'target is full',
          wasHeld: false,
        },
      })
      expect(await route()).toMatchObject({ held_reason: 'target is full' })
      expect(await post(`${url}/api/routes/1/release`)).toEqual({
        status: 200,
        body: { routeId: 1, heldAt: null, heldKind: null, heldReason: null, wasHeld: true },
      })
      expect(await post(`${url}/api/routes/1/release`)).toMatchObject({ body: { wasHeld: false } })
      // The last request changed nothing.
      expect(changes).toEqual([
        [1, 'target is full', '127.0.0.1'],
        [1, null, '127.0.0.1'],
      ])
    })

    it('a release needs no body', async () => {
      const url = await start()
      expect(await post(`${url}/api/routes/1/hold`)).toMatchObject({
        status: 200,
        body: { heldReason: 'held by an operator' },
      })
      await post(`${url}/api/routes/1/hold`, json('target is full'))
      // The reason that was given before stays.
      for (const init of [{}, json(null)])
        expect(await post(`${url}/api/routes/1/hold`, init)).toMatchObject({
          status: 200,
          body: { heldReason: 'target is full', wasHeld: true },
        })
    })

    const big = JSON.stringify({ reason: 'x'.repeat(20_000) })
    it.each([
      ['no token', 401, { headers: { authorization: '' } }],
      ['a wrong token', 401, { headers: { authorization: `Bearer ${token}x` } }],
      ['GET', 405, { method: 'GET' }],
      ['DELETE', 405, { method: 'DELETE' }],
      ['a form', 415, { body: new URLSearchParams({ reason: 'x' }) }],
      ['text', 415, { body: '{"reason":"x"}', headers: { 'content-type': 'text/plain' } }],
      ['no JSON', 400, { body: '{"reason"', headers: { 'content-type': 'application/json' } }],
      ['a list', 400, { body: '[]', headers: { 'content-type': 'application/json' } }],
      ['a reason that is none', 400, json(7)],
      ['a reason with control characters', 400, json('a\u001b[31m')],
      ['a body too large', 413, { body: big, headers: { 'content-type': 'application/json' } }],
      [
        'a body too large that does not say so',
        413,
        {
          body: new Blob([big]).stream(),
          duplex: 'half',
          headers: { 'content-type': 'application/json' },
        } as RequestInit,
      ],
    ])('refuses %s', async (_, status, init) => {
      const url = await start()
      const { status: got, body } = await post(`${url}/api/routes/1/hold`, init)
      expect([got, body]).toEqual([status, { error: expect.any(String) }])
      expect(await route()).toMatchObject({ held_at: null })
      expect(changes).toEqual([])
    })

    it.each(['0', '2', '99999999999', '1%27', 'x'])('knows no route %s', async id => {
      const url = await start()
      expect(await post(`${url}/api/routes/${id}/hold`)).toMatchObject({ status: 404 })
    })

    it('is switched off without HTTP_TOKEN, whatever is sent', async () => {
      const url = await start(null)
      for (const authorization of ['', 'Bearer null', 'Bearer ', `Bearer ${token}`])
        expect(await post(`${url}/api/routes/1/hold`, { headers: { authorization } })).toEqual({
          status: 403,
          body: { error: 'HTTP_TOKEN is not set: nothing can be changed over HTTP' },
        })
      expect(await route()).toMatchObject({ held_at: null })
    })

    it('refuses a page whose name was made to stand for this machine', async () => {
      const url = new URL(await start())
      const status = await new Promise(resolve => {
        httpRequest(
          { host: url.hostname, port: url.port, path: '/readyz', headers: { host: 'evil.example' } },
          response => resolve(response.resume().statusCode),
        ).end()
      })
      expect(status).toBe(421)
    })

    it('answers 503 when the database is away, and tells nothing of it', async () => {
      const away = createPool('postgres://someone:hunter2@127.0.0.1:1/none', {
        max: 1,
        onError: () => undefined,
      })
      const url = await start(token, createRouteControl(away))
      expect(await post(`${url}/api/routes/1/hold`)).toEqual({
        status: 503,
        body: { error: 'the database cannot be reached: ask again' },
      })
      await away.end()
    })

    it('shows nothing of an unexpected error', async () => {
      const url = await start()
      await database.pool.query('alter table route rename column held_reason to hidden')
      expect(await post(`${url}/api/routes/1/hold`)).toEqual({
        status: 500,
        body: { error: 'unexpected error: see the log' },
      })
      expect(errors).toHaveLength(1)
      await database.pool.query('alter table route rename column hidden to held_reason')
    })

    it('closes a connection whose request head does not end', async () => {
      const url = new URL(await start())
      const said: string[] = []
      await new Promise<void>(resolve => {
        const socket = connect(Number(url.port), url.hostname, () => socket.write('POST /api/routes/1/hold'))
        socket.on('data', data => said.push(String(data)))
        socket.on('close', () => resolve())
      })
      expect(said.join('')).toMatch(/^HTTP\/1.1 408 /)
    })
  })
})
