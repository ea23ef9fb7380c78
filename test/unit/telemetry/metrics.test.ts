import type { FlowEvent } from '../../../src/domain/flow-event'
import { createMetrics, type MetricSources } from '../../../src/telemetry/metrics'

const figures = {
  ageMs: 2_500,
  moves: { accepted: 12, moved: 9, pending: 3, gap: 0 },
  overdueJobs: 1,
  lostRecords: 7,
  lookUpMoves: 7,
}
const calm: MetricSources = {
  database: async () => figures,
  openJobs: () => ({ own: 2, searching: 0, foreign: 1 }),
}

/** The samples of this service, by name and labels. */
const samplesOf = async ({ scrape }: Pick<ReturnType<typeof createMetrics>, 'scrape'>) => {
  const { body } = await scrape()
  return new Map(
    body
      .split('\n')
      .filter(line => line.startsWith('device_move_'))
      .map((line): [string, number] => [
        line.slice(0, line.lastIndexOf(' ')),
        Number(line.slice(line.lastIndexOf(' '))),
      ]),
  )
}

const after = async (...events: readonly FlowEvent[]): Promise<Record<string, number>> => {
  const metrics = createMetrics({
    database: async () => null,
    openJobs: () => ({ own: 0, searching: 0, foreign: 0 }),
  })
  for (const event of events) metrics.observe(event)
  const changed = [...(await samplesOf(metrics))].filter(
    ([name, value]) => value !== 0 && !name.includes('_bucket'),
  )
  return Object.fromEntries(changed)
}

describe('metrics', () => {
  it('show the state of every move, and the open jobs, as they are at the scrape', async () => {
    const samples = await samplesOf(createMetrics(calm))
    expect(samples.get('device_move_moves{state="accepted"}')).toBe(12)
    expect(samples.get('device_move_moves{state="pending"}')).toBe(3)
    expect(samples.get('device_move_moves{state="gap"}')).toBe(0)
    expect(samples.get('device_move_overdue_jobs')).toBe(1)
    expect(samples.get('device_move_lost_records_total')).toBe(7)
    expect(samples.get('device_move_database_figures_age_seconds')).toBe(2.5)
    expect(samples.get('device_move_open_jobs{whose="own"}')).toBe(2)
    expect(samples.get('device_move_open_jobs{whose="foreign"}')).toBe(1)
  })

  it('have no counts of moves while the database cannot be reached', async () => {
    let isThere = true
    const metrics = createMetrics({ ...calm, database: async () => (isThere ? figures : null) })
    expect((await samplesOf(metrics)).get('device_move_moves{state="gap"}')).toBe(0)
    isThere = false
    const names = [...(await samplesOf(metrics)).keys()]
    expect(names.filter(name => name.startsWith('device_move_moves'))).toEqual([])
    expect(names).toContain('device_move_open_jobs{whose="own"}')
  })

  it('have no open jobs once another process drives', async () => {
    let drives = true
    const metrics = createMetrics({
      ...calm,
      openJobs: () => (drives ? { own: 2, searching: 0, foreign: 1 } : null),
    })
    expect((await samplesOf(metrics)).get('device_move_open_jobs{whose="own"}')).toBe(2)
    drives = false
    const names = [...(await samplesOf(metrics)).keys()]
    expect(names.filter(name => name.startsWith('device_move_open_jobs'))).toEqual([])
    expect(names).toContain('device_move_moves{state="gap"}')
  })

  it.each<[FlowEvent, Record<string, number>]>([
    [
      { kind: 'appended', partition: 0, moves: 5, rejections: 2 },
      { device_move_appended_moves_total: 5, device_move_rejections_total: 2 },
    ],
    [
      { kind: 'call-ended', operation: 'list', result: 'throttled', code: 'Throttling.User', tookMs: 250 },
      {
        'device_move_calls_total{operation="list",result="throttled"}': 1,
        'device_move_call_seconds_count{operation="list"}': 1,
        'device_move_call_seconds_sum{operation="list"}': 0.25,
      },
    ],
    [
      { kind: 'job-ended', batchId: 1, as: 'interrupted', tookMs: 61_000 },
      {
        'device_move_jobs_total{event="interrupted"}': 1,
        device_move_job_seconds_count: 1,
        device_move_job_seconds_sum: 61,
      },
    ],
    [
      { kind: 'job-settled', batchId: 1, moved: 7, failed: 2, retried: 1 },
      {
        'device_move_attempts_total{result="moved"}': 7,
        'device_move_attempts_total{result="failed"}': 2,
        'device_move_attempts_total{result="retried"}': 1,
        'device_move_jobs_total{event="settled"}': 1,
      },
    ],
    [
      { kind: 'devices-looked-up', batchId: 1, moved: 3, elsewhere: 2, untold: 1 },
      {
        'device_move_looked_up_total{fate="moved"}': 3,
        'device_move_looked_up_total{fate="elsewhere"}': 2,
        'device_move_looked_up_total{fate="untold"}': 1,
      },
    ],
    [
      { kind: 'job-created', batchId: 1, providerJobId: 'p', devices: 9, isSearch: false },
      { 'device_move_jobs_total{event="created"}': 1 },
    ],
    [{ kind: 'job-held', batchId: 1, why: '' }, { 'device_move_jobs_total{event="held"}': 1 }],
    [
      { kind: 'job-resumed', batchId: 1, status: 'running' },
      { 'device_move_jobs_total{event="resumed"}': 1 },
    ],
    [
      { kind: 'create-refused', batchId: 1, code: 'c', next: 'again', isSearch: false },
      { 'device_move_jobs_total{event="create-refused"}': 1 },
    ],
    [
      { kind: 'create-unanswered', batchId: 1, why: '' },
      { 'device_move_jobs_total{event="create-unanswered"}': 1 },
    ],
    [
      { kind: 'published', outcomes: { moved: 4, failed: 1, rejected: 2, superseded: 0 }, lastId: 9n },
      {
        'device_move_published_total{outcome="moved"}': 4,
        'device_move_published_total{outcome="failed"}': 1,
        'device_move_published_total{outcome="rejected"}': 2,
      },
    ],
    [
      { kind: 'retrying', flow: 'intake', why: '', delayMs: 1, isNews: false },
      { 'device_move_retries_total{flow="intake"}': 1 },
    ],
    [
      { kind: 'defect', flow: 'drive', error: new Error('no') },
      { 'device_move_defects_total{flow="drive"}': 1 },
    ],
  ])('count %j', async (event, expected) => {
    expect(await after(event)).toEqual(expected)
  })

  it('have the format of Prometheus, and include those of the Node process', async () => {
    const { body, contentType } = await createMetrics(calm).scrape()
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(body).toContain('# HELP device_move_moves ')
    expect(body).toContain('process_resident_memory_bytes')
  })
})
