import { query } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'

jest.setTimeout(180_000)

describeKafka('a service whose result files cannot be read', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('asks again for files that are HTML, empty, truncated or huge, then holds their job while the others go on', async () => {
    deployment = await createDeployment([...quickJobs, '--huge-file-mb', '300'])
    for (const fault of ['html', 'empty', 'truncated', 'huge', 'html']) {
      const inject = await fetch(`${deployment.simulatorUrl}/_simulator/fail-next`, {
        method: 'POST',
        body: JSON.stringify({ operation: 'file', fault: { kind: 'file', fault }, times: 1 }),
      })
      expect(inject.status).toBe(200)
    }
    await deployment.submitTogether(names('bad', 20))
    // There are more devices than may be looked up.
    const service = deployment.run({ LOOKUP_MAX_DEVICES: '19' })
    await service.line(text => text.includes('"job-held"'))
    await deployment.submit(names('next', 30), { targetInstanceId: 'iot-cn-other' })
    expect(await deployment.settled(50)).toMatchObject({ moved: 30, held: 20, gap: 0 })
    const rows = await query(
      deployment.databaseUrl,
      'select held_reason, devices from device_move.jobs where held_at is not null',
    )
    expect(rows).toEqual([{ held_reason: expect.stringContaining('no results could be read'), devices: 20 }])
    const problems = service.stderr.filter(line => line.includes('"result-file-problem"'))
    expect(problems).toHaveLength(5)
  }, 240_000)
})
