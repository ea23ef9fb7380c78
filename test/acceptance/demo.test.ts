import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CliProcess, startCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { describeKafka, testBrokers } from '../support/kafka'

jest.setTimeout(180_000)

const row = (name: string): string => `${name},a1BwAGVexmp,iot-a,iot-b,1984000000000001`
const fleet = [
  'deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
  ...names('meter', 300).map(row),
  // One device stands here twice, and one has an invalid name.
  row('meter-000007'),
  row('meter one'),
].join('\n')

describeKafka('device-move demo', () => {
  let directory: string
  let temporary: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'demo fleet '))
    temporary = await mkdtemp(join(tmpdir(), 'demo-tmp-'))
    // PostgreSQL runs as another user than root and has to read this directory.
    await chmod(temporary, 0o755)
    await writeFile(join(directory, 'fleet.csv'), fleet)
  })
  afterEach(async () => {
    for (const each of [directory, temporary]) await rm(each, { recursive: true, force: true })
  })

  const demo = (): CliProcess =>
    startCli(['demo', '--file', join(directory, 'fleet.csv')], {
      KAFKA_BROKERS: testBrokers()?.join(',') ?? '',
      TMPDIR: temporary,
    })

  it('moves a fleet through Kafka, says what became of it, and leaves nothing behind', async () => {
    const running = demo()
    expect(await running.ended).toBe(0)
    const text = running.stdout.join('\n')
    const figure = (label: string): string =>
      new RegExp(`^  ${label} +(\\S+)$`, 'm').exec(text)?.[1] ?? 'none'
    expect(figure('accepted')).toBe('302')
    expect(figure('rejected: invalid_device_name')).toBe('1')
    expect(figure('conservation gap')).toBe('0')
    expect(figure('held')).toBe('none')
    const ended = [...text.matchAll(/^ {2}(?:moved|failed: \S+|rejected: \S+|duplicates) +(\d+)$/gm)]
    expect(ended.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(302)
    expect(text).toContain('select * from device_move.conservation;')
    expect(await readdir(temporary)).toEqual([])
  })

  it('ends at once at Ctrl-C with 130, and leaves nothing behind', async () => {
    const running = demo()
    await running.line(line => line.includes('requests sent to'))
    running.kill('SIGINT')
    expect(await running.ended).toBe(130)
    expect(await readdir(temporary)).toEqual([])
  })
})
