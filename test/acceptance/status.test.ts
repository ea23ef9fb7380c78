import { startCli } from '../support/cli-process'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'

jest.setTimeout(120_000)

describeKafka('status', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('tells how the work stands, with the service or without', async () => {
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0'])
    await deployment.submit(names('meter', 30))
    const service = deployment.run()
    await deployment.settled(30)
    const { url } = JSON.parse(await service.line(line => line.includes('"listening"'))) as { url: string }
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

  it('--watch shows it again as it changes, until Ctrl-C, which is its proper end', async () => {
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0'])
    const service = deployment.run()
    const { url } = JSON.parse(await service.line(line => line.includes('"listening"'))) as { url: string }
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
    // A line a time, each of them whole.
    for (const line of json.stdout) expect(JSON.parse(line)).toHaveProperty('because')
  })
})
