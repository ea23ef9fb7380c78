import type { ProcessStatus } from '../../../src/health/readiness'
import { readNow, statusOf } from '../../../src/health/status'
import type { RouteStatus } from '../../../src/postgres/status/read-routes'
import type { DatabaseStatus } from '../../../src/postgres/status/read-status'
import { noMoves } from '../../support/no-moves'

const at = new Date('2026-11-24T08:00:00Z')
const well = { state: 'running', problem: null } as const

const database = (
  more: Partial<DatabaseStatus> = {},
  moves: Partial<DatabaseStatus['moves']> = {},
): DatabaseStatus => ({
  moves: {
    ...noMoves,
    ...moves,
  },
  lease: { holder: 'host/1', expiresInMs: 9_000 },
  routes: [],
  routeCounts: { withWork: 0, held: 0, blocked: 0 },
  lostRecords: [],
  heldJobs: [],
  troubledJobs: [],
  searches: null,
  overdueJobs: [],
  lookUps: null,
  openJobs: {},
  nextRetryAt: null,
  unpublished: 0,
  forgotten: { isUnlisted: false, listError: null, unread: 0, held: [] },
  failures: [],
  lastErrors: [],
  ...more,
})
const service = (more: Partial<ProcessStatus> = {}): ProcessStatus => ({
  lease: 'held',
  holder: null,
  openJobs: { own: 0, searching: 0, foreign: 0, capacity: 10 },
  accountRefused: null,
  provider: null,
  quota: {
    shared: 0,
    perOperation: { create: 0, detail: 0, query: 0, list: 0, provisioning: 0 },
    waiting: { create: 0, detail: 0, query: 0, list: 0, provisioning: 0 },
  },
  flows: { intake: well, drive: well, publish: well },
  source: { state: 'assigned', reason: null },
  ...more,
})
const route: RouteStatus = {
  routeId: 3,
  productKey: 'a1',
  sourceInstanceId: 'from',
  targetInstanceIds: ['to'],
  priority: 'normal',
  pending: 5,
  inFlight: 0,
  lookingUp: 0,
  retrying: 1,
  moved: 0,
  failed: 0,
  inHeldJobs: 0,
  oldestPendingAt: null,
  eta: null,
  heldAt: null,
  heldKind: null,
  heldReason: null,
  heldRetryAt: null,
  blockedByBatch: null,
  blockedReason: null,
}
const statusIn = (db: DatabaseStatus | null, process: ProcessStatus | null) =>
  statusOf(at, readNow(db), process)
const because = (db: DatabaseStatus | null, process: ProcessStatus | null = service()) =>
  statusIn(db, process).because

describe('the status', () => {
  it('has nothing to explain when jobs run', () => {
    const status = statusIn(
      database({ openJobs: { running: 2 }, routes: [route] }, { pending: 5 }),
      service(),
    )
    expect(status).toMatchObject({ at: '2026-11-24T08:00:00.000Z', moving: true, because: [] })
  })

  it('has nothing to explain when nothing waits', () => {
    expect(statusIn(database(), null)).toMatchObject({ moving: false, because: [] })
  })

  it('says that the database does not answer', () => {
    expect(because(null, null)).toEqual(['the database does not answer'])
  })

  it('says that no process holds the lease', () => {
    const waits = database({ lease: { holder: null, expiresInMs: null } }, { pending: 1 })
    expect(because(waits, null)).toEqual(['no process holds the lease: start the service'])
  })

  it('says what waits to be looked up, at which pace, and how nobody has to wait for it', () => {
    const line = (more: Partial<NonNullable<DatabaseStatus['lookUps']>>) =>
      statusOf(
        at,
        readNow(
          database({
            openJobs: { 'looking-up': 2 },
            lookUps: { jobs: 2, moves: 1_230, perSecond: 0.82, remainingMs: 1_500_000, ...more },
          }),
        ),
        service(),
      )
    expect(line({})).toMatchObject({
      moving: true,
      because: [
        '1230 moves of 2 ended jobs wait until their devices are looked up, since no result file tells of them: ' +
          '0.8 a second, about 25 minutes; `device-move resolve JOB --resend` sends those of a job again without that',
      ],
    })
    expect(line({ remainingMs: 20_000_000 }).because[0]).toContain('about 6 hours')
    expect(line({ perSecond: null, remainingMs: null }).because[0]).toContain(
      'it is not known yet how long that takes',
    )
  })

  it('names held routes and held batches with their reasons', () => {
    const held = database({
      routes: [{ ...route, heldAt: at.toISOString(), heldReason: 'target is full' }],
      openJobs: { completed: 1 },
      heldJobs: [
        {
          batchId: 7,
          jobId: 'J',
          routeId: 3,
          status: 'completed',
          moves: 1,
          withRoute: false,
          heldAt: at.toISOString(),
          heldReason: 'no result file',
          resolutions: ['again', 'fail'],
        },
      ],
    })
    expect(because(held)).toEqual([
      'route 3 is held (6 moves): target is full',
      'batch 7 of route 3 (1 move) is held: no result file',
    ])
    expect(statusIn(held, null).moving).toBe(false)
  })

  it('names batches in trouble, what is done and what to do about them, and how many moves wait for them', () => {
    const batch = { batchId: 7, jobId: null, routeId: 3, moves: 100, refusals: 0 }
    const blocked = { ...route, blockedByBatch: 7, blockedReason: 'refused …' }
    const troubled = database({
      openJobs: { claimed: 1, unknown: 1, running: 1, completed: 1 },
      routes: [
        blocked,
        { ...blocked, routeId: 5 },
        { ...blocked, routeId: 6, pending: 0, retrying: 0 },
        route,
      ],
      troubledJobs: [
        { ...batch, kind: 'refused', refusals: 6, lastError: 'iot.odd: no' },
        { ...batch, batchId: 8, kind: 'denied', jobId: 'J', moves: 1, lastError: 'List does not show job J' },
        { ...batch, batchId: 9, kind: 'unanswered', lastError: 'deadline: no answer' },
        { ...batch, batchId: 10, kind: 'no-results', jobId: 'K', lastError: 'ECONNREFUSED' },
      ],
    })
    expect(statusIn(troubled, null)).toMatchObject({
      moving: false,
      because: [
        expect.stringMatching(
          /^batch 7 of route 3 \(100 moves\) was refused 6 times .*iot\.odd: no; .*tried again .*QUOTA_JOBS/,
        ),
        expect.stringMatching(/^batch 8 of route 3 \(1 move\) is in doubt: List does not show job J; .*held/),
        expect.stringMatching(/^batch 9 of route 3 .*not answered: deadline: no answer; List is searched/),
        expect.stringMatching(
          /^batch 10 of route 3 .*has ended, .*results cannot be had: ECONNREFUSED; .*asked for again/,
        ),
        '12 moves of routes 3, 5 wait for batch 7',
      ],
    })
    expect(statusIn({ ...troubled, openJobs: { running: 5 } }, null).moving).toBe(true)
  })

  it('says that the account is refused, that other people have all slots, and which problem each flow has', () => {
    const stuck = service({
      accountRefused: { operation: 'create', code: 'SignatureDoesNotMatch' },
      openJobs: { own: 0, searching: 0, foreign: 10, capacity: 10 },
      flows: {
        intake: { state: 'retrying', problem: 'PostgreSQL: could not extend file: No space left on device' },
        drive: well,
        publish: { state: 'standing-by', problem: null },
      },
      source: { state: 'failed', reason: 'no sign of life from Kafka for 10 s' },
    })
    expect(because(database({}, { pending: 1 }), stuck)).toEqual([
      'intake: PostgreSQL: could not extend file: No space left on device',
      'intake: no sign of life from Kafka for 10 s',
      expect.stringContaining('refuses the account: SignatureDoesNotMatch (create)'),
      'all 10 slots are taken by jobs that are not ours',
    ])
  })

  it('does not count as moving while the provider does not answer, and says why', () => {
    const problem = 'the provider cannot be reached since …'
    const away = service({
      provider: {
        kind: 'unreachable',
        since: at.toISOString(),
        lastAt: at.toISOString(),
        calls: 3,
        operation: 'list',
        code: 'ECONNREFUSED',
      },
      flows: { intake: well, drive: { state: 'retrying', problem }, publish: well },
    })
    expect(statusIn(database({ openJobs: { running: 1 } }), away)).toMatchObject({
      moving: false,
      because: [`drive: ${problem}`],
    })
  })

  it('shows a restored database once and not once for each flow', () => {
    const stopped = { state: 'stopped', problem: 'restored' } as const
    const flows = { intake: stopped, drive: stopped, publish: stopped }
    expect(because(database(), service({ flows }))).toEqual(['restored'])
  })

  it('does not count as moving while no process drives or the flows are stopped, whatever jobs are open', () => {
    const open = database({ openJobs: { running: 1 } }, { in_flight: 5 })
    const stopped = { state: 'stopped', problem: 'restored' } as const
    const flows = { intake: stopped, drive: stopped, publish: stopped }
    expect(statusIn(open, null).moving).toBe(true)
    expect(statusIn(open, service({ flows })).moving).toBe(false)
    expect(statusIn({ ...open, lease: { holder: null, expiresInMs: null } }, null)).toMatchObject({
      moving: false,
      because: ['no process holds the lease: start the service'],
    })
  })

  it('names a job that may never end, and says what can be done and what that may cost', () => {
    const overdue = database({
      openJobs: { running: 1 },
      overdueJobs: [
        {
          batchId: 12,
          jobId: 'P12',
          routeId: 3,
          moves: 500,
          runningSince: '2026-11-24T05:00:00.000Z',
          ageMs: 3 * 3_600_000,
          usualMs: 180_000,
          resolutions: ['absent', 'fail'],
        },
      ],
    })
    expect(statusIn(overdue, service())).toMatchObject({
      moving: false,
      because: [
        'batch 12 of route 3 (500 moves) has been running as P12 since 2026-11-24T05:00:00.000Z (3.0 hours; a job takes ' +
          '180 s), and takes a slot: see in the console whether it goes on; if it never ends, ' +
          '`device-move resolve 12 --absent` sends its devices again, which moves them twice if it does go on, and ' +
          '`--fail` gives them up, though they may have moved',
      ],
    })
    expect(statusIn({ ...overdue, openJobs: { running: 2 } }, service()).moving).toBe(true)
  })

  it('says how many records retention deleted before they were read, and of which partition', () => {
    const lost = { topic: 'requests', partition: 3, records: 1_000, lastAt: '2026-11-24T07:00:00.000Z' }
    expect(
      because(database({ lostRecords: [lost, { ...lost, partition: 4, records: 1, lastAt: null }] })),
    ).toEqual([
      '1000 records of requests/3 were deleted from Kafka before the service had read them (noticed at ' +
        '2026-11-24T07:00:00.000Z): have these requests sent again, and raise retention.ms and retention.bytes of the topic',
      '1 record of requests/4 was deleted from Kafka before the service had read it: have these requests sent again, and ' +
        'raise retention.ms and retention.bytes of the topic',
    ])
  })

  it('counts the held and blocked routes that it does not name', () => {
    const held = { ...route, heldAt: '2026-11-24T07:00:00.000Z', heldReason: 'test' }
    const blocked = { ...route, routeId: 4, blockedByBatch: 7, blockedReason: 'unknown' }
    expect(
      because(database({ routes: [held, blocked], routeCounts: { withWork: 250, held: 101, blocked: 21 } })),
    ).toEqual([
      'route 3 is held (6 moves): test',
      '6 moves of route 4 wait for batch 7',
      '100 more routes are held (see device_move.routes)',
      '20 more routes are blocked by a batch (see device_move.routes)',
    ])
  })

  it('says how old the figures of the database are, and why', () => {
    const problem = 'the database answers, but slowly'
    expect(statusOf(at, { database: database(), ageMs: 90_000, problem }, service())).toMatchObject({
      asOf: '2026-11-24T07:58:30.000Z',
      ageMs: 90_000,
      because: [problem],
      database: { moves: { gap: 0 } },
    })
    expect(statusIn(null, service())).toMatchObject({ asOf: null, ageMs: null })
  })

  it('explains nothing by the slots if the process stands by', () => {
    const standBy = service({ lease: 'standing-by', holder: 'host/1', openJobs: null, quota: null })
    expect(because(database({}, { pending: 1 }), standBy)).toEqual([])
  })

  it('says until when re-queued moves wait', () => {
    const later = database({ nextRetryAt: '2026-11-24T09:00:00.000Z' }, { retrying: 2 })
    expect(because(later)).toEqual([
      '2 moves wait for their next attempt, the first until 2026-11-24T09:00:00.000Z',
    ])
  })
})
