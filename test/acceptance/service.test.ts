import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(180_000)

const quick = ['--init-ms', '50', '--base-ms', '300', '--per-device-ms', '0.05']

interface Result {
  readonly id: string
  readonly requestId: string
  readonly deviceName: string
  readonly outcome: string
  readonly final: boolean
  readonly code: string
}

const results = async ({ topics }: Deployment): Promise<Result[]> =>
  (await readTopic(topics.results)).map(({ value }) => JSON.parse(String(value)) as Result)

const expectEachOnce = (found: readonly Result[], finals: number): void => {
  expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
  const final = found.filter(result => result.final)
  expect(final).toHaveLength(finals)
  expect(new Set(final.map(({ requestId, deviceName }) => `${requestId} ${deviceName}`)).size).toBe(finals)
}

describeKafka('the service', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('moves a fleet, re-queues, rejects, publishes, and ends at SIGTERM', async () => {
    const faults =
      '[{"code":"iot.system.SystemException","rate":0.05},{"code":"iot.device.NotExistedDevice","rate":0.01,"permanent":true}]'
    deployment = await createDeployment([...quick, '--device-faults', faults])
    await deployment.submit(names('meter', 3_000))
    await deployment.submit(names('meter', 100))
    await deployment.submit(['bad name', 'x'])
    const service = deployment.run()
    const counts = await deployment.settled(3_102)
    expect(counts).toMatchObject({ accepted: 3_102, rejected: 2, duplicate: 100, gap: 0, held: 0 })
    expect((counts.moved ?? 0) + (counts.failed ?? 0)).toBe(3_000)
    await deployment.published()
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    const found = await results(deployment)
    expectEachOnce(found, 3_002)
    expect(found.some(({ final }) => !final)).toBe(true)
    const deadLetters = await readTopic(deployment.topics.deadLetters)
    expect(deadLetters).toHaveLength((counts.failed ?? 0) + 2)
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0 })
    expect(await deployment.audit()).toMatchObject({ breaches: 0 })
    expect(service.stderr.join('\n')).not.toContain('acceptance-secret')
  })

  it('leaves running jobs at SIGTERM, and resumes them when started again', async () => {
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '6000', '--per-device-ms', '0'])
    await deployment.submitTogether(names('meter', 500))
    const first = deployment.run()
    await first.line(line => line.includes('job-created'))
    first.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    expect(await deployment.conservation()).toMatchObject({ in_flight: 500, gap: 0 })
    const second = deployment.run()
    await second.line(line => line.includes('job-resumed'))
    expect(await deployment.settled(500)).toMatchObject({ moved: 500, gap: 0 })
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0, moves: 500 })
  })

  it('loses nothing and moves nothing twice when killed and started again', async () => {
    deployment = await createDeployment(quick, { BATCH_MAX_DEVICES: '500' })
    const devices = names('meter', 6_000)
    await deployment.submit(devices)
    for (let kill = 0; kill < 3; kill += 1) {
      const service = deployment.run()
      const before = (await deployment.conservation().catch(() => null))?.moved ?? 0
      await until(
        async () => ((await deployment.conservation().catch(() => null))?.moved ?? 0) > before + 400,
      )
      service.kill('SIGKILL')
      await service.ended
      expect(await deployment.conservation()).toMatchObject({ gap: 0 })
    }
    deployment.run()
    expect(await deployment.settled(6_000)).toMatchObject({ accepted: 6_000, moved: 6_000, gap: 0 })
    await deployment.published()
    expectEachOnce(await results(deployment), 6_000)
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0, moves: 6_000 })
    expect(await deployment.audit()).toMatchObject({ breaches: 0 })
  })
})
