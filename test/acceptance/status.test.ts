import { startCli, urlOf } from '../support/cli-process'
import { createTestDatabase } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { startTcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

jest.setTimeout(120_000)

describe('device-move status --watch', () => {
  it('says that the database does not answer, and goes on watching until it does', async () => {
    const database = await createTestDatabase()
    const url = new URL(database.url)
    const link = await startTcpProxy(Number(url.port))
    url.port = String(link.port)
    const environment = { DATABASE_URL: url.href, HTTP_PORT: '0' }
    expect(await startCli(['migrate'], environment).ended).toBe(0)
    const json = startCli(['status', '--watch', '--json'], environment)
    const text = startCli(['status', '--watch'], environment)
    try {
      const isAway = (line: string) => line.includes('"database":null')
      await json.line(line => line.includes('"accepted":0'))
      await text.line(line => line.includes('0 moved'))
      link.refuse()
      link.cut()
      const away: unknown = JSON.parse(await json.line(isAway))
      expect(away).toMatchObject({ moving: false, because: ['the database does not answer'], process: null })
      await text.line(line => line.includes('the database does not answer'))
      link.heal()
      await until(
        async () => json.stdout.findLastIndex(line => !isAway(line)) > json.stdout.findIndex(isAway),
      )
      json.kill('SIGINT')
      text.kill('SIGINT')
      expect(await Promise.all([json.ended, text.ended])).toEqual([0, 0])
      expect([...json.stderr, ...text.stderr]).toEqual([])
    } finally {
      json.kill('SIGKILL')
      text.kill('SIGKILL')
      await link.close()
      await database.drop()
    }
  })
})

describeKafka('device-move status', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('shows how the work stands, with the service and without it', async () => {
    deployment = await createDeployment(quickJobs)
    await deployment.submit(names('meter', 30))
    const service = deployment.run()
    await deployment.settled(30)
    const url = await urlOf(service)
    const answered: unknown = await (await fetch(`${url}/api/status`)).json()
    expect(answered).toMatchObject({
      database: { moves: { accepted: 30, moved: 30, gap: 0 } },
      process: {
        lease: 'held',
        flows: { drive: { state: 'running', problem: null } },
        openJobs: { capacity: 10 },
      },
    })
    const environment = { ...deployment.environment, HTTP_PORT: new URL(url).port }
    const json = startCli(['status', '--json'], environment)
    expect(await json.ended).toBe(0)
    expect(JSON.parse(json.stdout.join('\n'))).toMatchObject({
      moving: false,
      because: [],
      database: { moves: { moved: 30 } },
      process: { lease: 'held' },
    })
    service.kill('SIGTERM')
    await service.ended
    const text = startCli(['status'], environment)
    expect(await text.ended).toBe(0)
    expect(text.stdout.join('\n')).toMatch(
      /service +none answers[\s\S]*30 moved[\s\S]*Nothing is under way\./,
    )
  })

  it('names the process that drives when asked of one that stands by, and shows no figures of its own', async () => {
    deployment = await createDeployment(quickJobs)
    const driver = deployment.run()
    await driver.line(line => line.includes('"lease-held"'))
    const standBy = deployment.run()
    const url = await urlOf(standBy)
    const answer = async (path: string) => (await fetch(`${url}${path}`)).text()
    // The process that stands by needs a moment until it knows the holder of the lease.
    await until(async () => (await answer('/api/status')).includes(`/${driver.child.pid}/`))
    expect(JSON.parse(await answer('/api/status'))).toMatchObject({
      process: { lease: 'standing-by', openJobs: null, quota: null },
    })
    const metrics = await answer('/metrics')
    expect(metrics).toContain('device_move_moves{state="gap"} 0')
    expect(metrics).not.toContain('device_move_open_jobs{')
    const text = startCli(['status'], { ...deployment.environment, HTTP_PORT: new URL(url).port })
    expect(await text.ended).toBe(0)
    expect(text.stdout.join('\n')).toMatch(
      new RegExp(`^stand-by +slots and quota are the driver's: ask \\S+/${driver.child.pid}/\\S+$`, 'm'),
    )
    expect(text.stdout.filter(line => /^(slots|quota)/.test(line))).toEqual([])
  })

  it('shows changes with --watch until Ctrl-C, which is its proper end', async () => {
    deployment = await createDeployment(quickJobs)
    const service = deployment.run()
    const url = await urlOf(service)
    await service.line(line => line.includes('"lease-held"'))
    const environment = { ...deployment.environment, HTTP_PORT: new URL(url).port }
    const text = startCli(['status', '--watch'], environment)
    const json = startCli(['status', '--watch', '--json'], environment)
    await text.line(line => line.includes(' 0 moved'))
    await json.line(line => line.includes('"moved":0'))
    await deployment.submit(names('meter', 30))
    await text.line(line => line.includes(' 30 moved'))
    const last = JSON.parse(await json.line(line => line.includes('"moved":30')))
    expect(last).toMatchObject({ database: { moves: { accepted: 30 } }, process: { lease: 'held' } })
    text.kill('SIGINT')
    json.kill('SIGTERM')
    expect(await Promise.all([text.ended, json.ended])).toEqual([0, 0])
    expect([...text.stderr, ...json.stderr]).toEqual([])
    // Each report is one whole line.
    for (const line of json.stdout) expect(JSON.parse(line)).toHaveProperty('because')
  })
})
