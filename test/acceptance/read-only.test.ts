import { startCli } from '../support/cli-process'
import { createTestDatabase } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'

jest.setTimeout(120_000)

/** Node refuses every write to a file system, every child process and every worker thread. */
const readOnly = ['--experimental-permission', '--allow-fs-read=*']

describeKafka('the service in a container whose file system is read-only', () => {
  let deployment: Deployment
  afterEach(() => deployment.stop())

  it('migrates, moves and publishes without writing a file or starting a process', async () => {
    deployment = await createDeployment(quickJobs, {}, { makeDatabase: createTestDatabase })
    const service = startCli(
      ['run'],
      { ...deployment.environment, HOME: '/nowhere', LOG_LEVEL: 'debug' },
      null,
      readOnly,
    )
    try {
      await deployment.submit(names('meter', 50))
      expect(await deployment.settled(50)).toMatchObject({ moved: 50, gap: 0 })
      await service.line(line => line.includes('"msg":"published"'))
      service.kill('SIGTERM')
      expect(await service.ended).toBe(0)
      expect(service.stderr.join('\n')).not.toMatch(/ERR_ACCESS_DENIED|"level":"error"/)
    } finally {
      service.kill('SIGKILL')
      await service.ended
    }
  })
})
