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
})
