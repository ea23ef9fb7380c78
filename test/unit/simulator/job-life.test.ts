import { createFixture, order } from './account-fixture'

const names = (count: number) => Array.from({ length: count }, (_, i) => `meter-${i}`)

type Listed = {
  readonly Total: number
  readonly NextToken: string
  readonly JobInfo: { readonly items: readonly { readonly JobId: string; readonly Status: number }[] }
}

describe('a job of the simulator', () => {
  const statusOf = (fixture: ReturnType<typeof createFixture>, JobId: string) =>
    (fixture.fields(fixture.call('query', { JobId })).Data as { Status: number }).Status
  const list = (fixture: ReturnType<typeof createFixture>, params: Record<string, string> = {}) =>
    fixture.fields(fixture.call('list', { PageSize: '200', ...params })).Data as Listed

  it('goes with time from status 0 over 1 to 2, and has its result only then', () => {
    const fixture = createFixture()
    const job = fixture.create(names(3))
    expect(statusOf(fixture, job)).toBe(0)
    fixture.pass(10)
    expect(statusOf(fixture, job)).toBe(1)
    fixture.pass(89)
    expect(statusOf(fixture, job)).toBe(1)
    expect(fixture.codeOf(fixture.call('detail', { JobId: job }))).toBe('iot.distribute.JobNotFinished')
    expect(fixture.account.truth.summary().moves).toBe(0)
    fixture.pass(1)
    expect(statusOf(fixture, job)).toBe(2)
    expect(fixture.codeOf(fixture.call('detail', { JobId: job }))).toBe('ok')
    expect(fixture.rows(job)).toEqual({ 'meter-0': '200', 'meter-1': '200', 'meter-2': '200' })
  })

  it('takes longer with more devices', () => {
    const fixture = createFixture({ perDeviceMs: 1 })
    const job = fixture.create(names(50))
    fixture.pass(149)
    expect(statusOf(fixture, job)).toBe(1)
    fixture.pass(1)
    expect(statusOf(fixture, job)).toBe(2)
  })

  it('is interrupted with part of the devices moved', () => {
    const fixture = createFixture()
    const job = fixture.create(names(10), {}, { endsAs: 3, doneShare: 0.4, hasFile: false })
    fixture.pass(100)
    expect(statusOf(fixture, job)).toBe(3)
    expect(fixture.account.truth.summary()).toMatchObject({ devices: 10, moves: 4 })
    expect(fixture.call('detail', { JobId: job })).toEqual({ ok: true, fields: {} })
  })

  it('counts against the limit while it is open', () => {
    const fixture = createFixture({ jobs: 2 })
    fixture.create(['meter-1'])
    fixture.create(['meter-2'])
    expect(fixture.codeOf(fixture.call('create', order(['meter-3'])))).toBe('iot.distribute.JobCountExceeded')
    expect(fixture.account.truth.find('a1Product', 'meter-3')).toBeNull()
    fixture.pass(100)
    expect(fixture.codeOf(fixture.call('create', order(['meter-3'])))).toBe('ok')
    expect(fixture.account.book.maxOpen()).toBe(2)
  })

  it('counts against the limit until it is deleted, if asked to', () => {
    const fixture = createFixture({ jobs: 1, jobsMode: 'existing', jobsFullCode: 'full' })
    const job = fixture.create(['meter-1'])
    expect(fixture.codeOf(fixture.call('delete', { JobId: job }))).toBe('iot.distribute.JobNotFinished')
    fixture.pass(100)
    expect(fixture.codeOf(fixture.call('create', order(['meter-2'])))).toBe('full')
    expect(fixture.codeOf(fixture.call('delete', { JobId: job }))).toBe('ok')
    expect(fixture.codeOf(fixture.call('create', order(['meter-2'])))).toBe('ok')
    expect(fixture.codeOf(fixture.call('query', { JobId: job }))).toBe('iot.distribute.JobNotFound')
  })

  it('is listed newest first, page by page, and jobs created meanwhile shift no page', () => {
    const fixture = createFixture({ jobs: 0 })
    const jobs = names(5).map(name => fixture.create([name]))
    const first = list(fixture, { PageSize: '2' })
    fixture.create(['meter-new'])
    const second = list(fixture, { PageSize: '2', NextToken: first.NextToken, CurrentPage: '9' })
    const third = list(fixture, { PageSize: '2', NextToken: second.NextToken })
    const ids = [first, second, third].flatMap(page => page.JobInfo.items.map(item => item.JobId))
    expect(ids).toEqual([...jobs].reverse())
    expect([first.Total, third.NextToken]).toEqual([5, ''])
  })

  it('is found in List by status, product and id', () => {
    const fixture = createFixture({ jobs: 0 })
    const old = fixture.create(['meter-1'])
    fixture.pass(100)
    const other = fixture.create(['meter-2'], { ProductKey: 'a1Other' })
    const idsOf = (params: Record<string, string>) =>
      list(fixture, params).JobInfo.items.map(item => item.JobId)
    expect(idsOf({ Status: '2' })).toEqual([old])
    expect(idsOf({ ProductKey: 'a1Other' })).toEqual([other])
    expect(idsOf({ JobId: old })).toEqual([old])
    expect(idsOf({ TargetUid: 'nobody' })).toEqual([])
  })

  it('appears late and with an older status in a List that lags', () => {
    const fixture = createFixture({ listLagMs: 50 })
    fixture.create(['meter-1'])
    fixture.pass(49)
    expect(list(fixture).Total).toBe(0)
    fixture.pass(1)
    expect(list(fixture).JobInfo.items[0]?.Status).toBe(0)
    fixture.pass(10)
    expect(list(fixture).JobInfo.items[0]?.Status).toBe(1)
  })

  it.each([
    [{ PageSize: '0' }],
    [{ PageSize: '201' }],
    [{ CurrentPage: '0' }],
    [{ NextToken: 'x' }],
    [{ CurrentPage: '52' }],
  ])('is not listed for the invalid page %j', params => {
    const fixture = createFixture()
    const result = fixture.call('list', { PageSize: '200', ...params })
    expect(fixture.codeOf(result)).toBe('iot.common.InvalidPageParams')
  })

  it('may be listed at an offset of exactly 10,000', () => {
    expect(createFixture().call('list', { PageSize: '200', CurrentPage: '51' }).ok).toBe(true)
  })
})
