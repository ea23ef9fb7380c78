import { firstValueFrom } from 'rxjs'
import { TransientError } from '../../src/ports/errors'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { readConservation, recountFromViews } from '../support/journal-harness'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { chunkOf, routeTo } from '../support/journal-requests'

describe('intake into PostgreSQL', () => {
  let database: JournalDatabase
  const broken: Error[] = []

  beforeAll(async () => {
    database = await createJournalDatabase({ onError: error => broken.push(error) })
  })
  afterAll(() => database.drop())

  it('takes chunks of several partitions at once into the same new routes', async () => {
    const replicas = [createIntakeJournal(database.pool), createIntakeJournal(database.pool)]
    const routes = Array.from({ length: 8 }, (_, index) => routeTo(`iot-${index}`))
    const chunks = Array.from({ length: 12 }, (_, partition) =>
      chunkOf(
        0n,
        // Each partition has the routes in another order.
        routes.map((_route, index) => {
          const route = routes[(index * 3 + partition) % routes.length] ?? routeTo('none')
          return {
            requestId: `${partition}-${index}`,
            route,
            devices: [`dev-${partition}-${index}`, 'shared'],
          }
        }),
        [],
        partition,
      ),
    )
    const receipts = await Promise.all(
      chunks.map((chunk, index) =>
        firstValueFrom((replicas[index % 2] ?? createIntakeJournal(database.pool)).append(chunk)),
      ),
    )
    expect(receipts).toEqual(chunks.map(() => ({ moves: 16, rejections: 0 })))
    const { rows } = await database.pool.query<{ gaps: number; routes: number; acceptances: number }>(
      `select count(distinct m.route_id)::integer as routes, count(distinct m.accepted)::integer as acceptances,
              count(*) filter (where m.seq not between 1 and i.appended)::integer as gaps
       from move m join route_intake i using (route_id)`,
    )
    expect(rows).toEqual([{ routes: 8, acceptances: 192, gaps: 0 }])
    const counted = await readConservation(database.pool)
    expect(counted).toMatchObject({ accepted: 192, pending: 192, gap: 0 })
    expect(await recountFromViews(database.pool)).toEqual(counted)
  })

  it('appends a chunk once when it is offered twice at the same time', async () => {
    const intake = createIntakeJournal(database.pool)
    const chunk = chunkOf(0n, [{ requestId: 'once', devices: ['dev1', 'dev2'] }], [{}], 50)
    const receipts = await Promise.all([1, 2, 3].map(() => firstValueFrom(intake.append(chunk))))
    expect(receipts.map(({ moves }) => moves).sort()).toEqual([0, 0, 2])
    expect(receipts.map(({ rejections }) => rejections).sort()).toEqual([0, 0, 1])
  })

  it('numbers more moves than one step of the acceptance counter covers', async () => {
    const devices = (from: number) => Array.from({ length: 10_000 }, (_, index) => `many-${from + index}`)
    const requests = [0, 10_000, 20_000, 30_000].map(from => ({
      requestId: `many ${from}`,
      devices: devices(from),
    }))
    const intake = createIntakeJournal(database.pool)
    expect(await firstValueFrom(intake.append(chunkOf(0n, requests, [], 60)))).toEqual({
      moves: 40_000,
      rejections: 0,
    })
    const { rows } = await database.pool.query<{ inOrder: boolean; distinct: number }>(
      `select count(distinct accepted)::integer as distinct,
              bool_and(accepted > before) as "inOrder"
       from (select accepted, lag(accepted, 1, 0::bigint) over (order by route_id, seq) as before
             from move where request_id like 'many%') m`,
    )
    expect(rows).toEqual([{ distinct: 40_000, inOrder: true }])
  })

  it('reports a lost connection as transient, and goes on over the next one', async () => {
    const intake = createIntakeJournal(database.pool)
    const chunk = chunkOf(0n, [{ requestId: 'lost', devices: ['dev1'] }], [], 70)
    await whileLocked(database.pool, 'lock table consumed in access exclusive mode', async () => {
      const failed = expect(firstValueFrom(intake.append(chunk))).rejects.toThrow(TransientError)
      const pids = await sessionsWaiting(database.pool, '%consumed%')
      await database.pool.query('select pg_terminate_backend(pid) from unnest($1::integer[]) as t (pid)', [
        pids,
      ])
      await failed
    })
    expect(await firstValueFrom(intake.append(chunk))).toEqual({ moves: 1, rejections: 0 })
    expect(broken.length).toBeGreaterThan(0)
  })
})
