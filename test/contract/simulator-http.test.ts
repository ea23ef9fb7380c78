import { gzipSync } from 'node:zlib'
import Iot, * as sdk from '@alicloud/iot20180120'
import OpenApi, { Config, OpenApiRequest, Params } from '@alicloud/openapi-client'
import { RuntimeOptions } from '@alicloud/tea-util'
import type { Audit } from '../../src/tools/simulator/audit'
import type { Fault } from '../../src/tools/simulator/faults'
import type { SimulatorOptions } from '../../src/tools/simulator/options'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator'

/** What callers see beside the operations: files, broken connections, and the endpoints for measurements. */
describe('the simulator over HTTP', () => {
  let simulator: Simulator
  let url: string
  let client: Iot
  let config: Config

  const start = async (options: Partial<SimulatorOptions> = {}) => {
    simulator = createSimulator({ initMs: 0, baseMs: 0, perDeviceMs: 0, ...options })
    url = (await simulator.listen(0)).url
    const keys = { accessKeyId: 'simulator', accessKeySecret: 'simulator-secret' }
    config = new Config({ ...keys, endpoint: url.slice('http://'.length), protocol: 'http' })
    client = new Iot(config)
  }
  afterEach(() => simulator.stop())

  const create = async (deviceName = ['meter-1', 'meter-2']) => {
    const targetInstanceConfig = [
      new sdk.CreateDeviceDistributeJobRequestTargetInstanceConfig({ targetInstanceId: 'B' }),
    ]
    const request = {
      deviceName,
      productKey: 'a1P',
      sourceInstanceId: 'A',
      strategy: 0,
      targetUid: '1',
      targetInstanceConfig,
    }
    return (await client.createDeviceDistributeJob(new sdk.CreateDeviceDistributeJobRequest(request))).body
  }
  const fileUrl = async () => {
    const jobId = (await create()).jobId ?? ''
    const { body } = await client.queryDeviceDistributeDetail(
      new sdk.QueryDeviceDistributeDetailRequest({ jobId }),
    )
    return body.file ?? ''
  }
  const control = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return (await fetch(`${url}/_simulator/${path}`, init)).json()
  }

  it('gives no JobId again at another start with the same seed, unless it is asked to', async () => {
    const idsOf = async (options: Partial<SimulatorOptions>): Promise<unknown> => {
      await start({ seed: 7, ...options })
      const ids = [(await create()).jobId, (await create(['meter-3'])).jobId]
      await simulator.stop()
      return ids
    }
    const [first, second] = [await idsOf({}), await idsOf({})]
    expect(first).not.toEqual(second)
    expect(await idsOf({ jobIdPrefix: 'Start1' })).toEqual(await idsOf({ jobIdPrefix: 'Start1' }))
    await start()
  })

  it.each(['GET', 'POST'])(
    'answers generic calls by %s, and the operation that the SDK lacks',
    async method => {
      await start()
      await create()
      const action = 'QueryDeviceProvisioning'
      const fixed = { version: '2018-01-20', protocol: 'HTTPS', pathname: '/', authType: 'AK', style: 'RPC' }
      const params = new Params({ ...fixed, action, method, reqBodyType: 'formData', bodyType: 'json' })
      const request = new OpenApiRequest({ query: { ProductKey: 'a1P', DeviceName: 'meter-1' } })
      const { body } = await new OpenApi(config).callApi(params, request, new RuntimeOptions({}))
      expect(body).toMatchObject({ Success: true, Code: 'success', Data: { TargetIotInstanceId: 'B' } })
    },
  )

  it('cuts the connection when an answer is lost', async () => {
    await start()
    simulator.failNext('create', { kind: 'lost-response' })
    await expect(create()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(simulator.audit().ownJobs).toBe(1)
  })

  it('answers HTML where the SDK expects JSON', async () => {
    await start()
    simulator.failNext('create', { kind: 'server-error', status: 502 })
    await expect(create()).rejects.toThrow(SyntaxError)
  })

  it('serves a file as often as it is asked for', async () => {
    await start()
    const file = await fileUrl()
    const [first, second] = await Promise.all([fetch(file), fetch(file)])
    expect(first.headers.get('content-type')).toBe('application/json')
    expect(await first.text()).toBe(await second.text())
  })

  it('refuses an expired and a changed link with the XML of object storage', async () => {
    await start({ fileUrlMs: 0 })
    const file = await fileUrl()
    simulator.failNext('file', { kind: 'file', fault: 'expired' })
    const changed = await fetch(file.replace('Expires=', 'Expires=9'))
    expect([changed.status, await changed.text()]).toEqual([
      403,
      expect.stringContaining('SignatureDoesNotMatch'),
    ])
    const expired = await fetch(file)
    expect([expired.status, await expired.text()]).toEqual([403, expect.stringContaining('0002-00000069')])
    expect(expired.headers.get('content-type')).toBe('application/xml')
  })

  it.each([
    ['html', 200, (text: string) => text.startsWith('<html>')],
    ['empty', 200, (text: string) => text === ''],
    ['truncated', 200, (text: string) => text.startsWith('[{') && !text.endsWith(']')],
    ['huge', 200, (text: string) => text.length === 2 * 1024 * 1024],
    ['gzip', 200, (text: string) => text.startsWith('[{') && text.endsWith(']')],
    ['unavailable', 503, (text: string) => text.includes('ServiceUnavailable')],
  ] as const)('spoils a file: %s', async (fault, status, looksSo) => {
    await start({ hugeFileMb: 2 })
    const file = await fileUrl()
    simulator.failNext('file', { kind: 'file', fault })
    const answer = await fetch(file)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-encoding')).toBe(fault === 'gzip' ? 'gzip' : null)
    expect(looksSo(await answer.text())).toBe(true)
    expect((await fetch(file)).status).toBe(200)
    expect(simulator.audit().downloads).toMatchObject({ [status]: expect.any(Number) })
  })

  it('tells other processes which calls it has seen and where each device is', async () => {
    await start()
    await create()
    const audit = (await control('audit')) as Audit
    expect(audit).toEqual(simulator.audit())
    expect(audit).toMatchObject({ calls: { create: 1 }, jobsByStatus: [0, 0, 1, 0] })
    expect(await control('truth')).toMatchObject({ devices: 2, movedOnce: 2, movedTwice: 0, twice: [] })
    const lines = (await (await fetch(`${url}/_simulator/truth?devices=1`)).text()).trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toMatchObject([
      { deviceName: 'meter-1', instanceId: 'B', moves: [{ from: 'A', to: 'B' }] },
      { deviceName: 'meter-2', instanceId: 'B' },
    ])
  })

  it('lets other processes inject faults', async () => {
    await start({ jobs: 1 })
    const fault: Fault = { kind: 'business', code: 'iot.system.SystemException' }
    expect(await control('fail-next', { operation: 'create', fault })).toEqual({ injected: 1 })
    expect((await create()).code).toBe('iot.system.SystemException')
    expect(await control('foreign-job', { openMs: 60_000 })).toEqual({ jobId: expect.any(String) })
    expect((await create()).code).toBe('iot.distribute.JobCountExceeded')
    expect(await control('foreign-job', {})).toEqual({ jobId: null })
  })

  it('refuses an unknown fault', async () => {
    await start()
    for (const body of [
      {},
      { operation: 'create', fault: { kind: 'flood' } },
      { operation: 'x', fault: { kind: 'throttled' } },
    ])
      expect(await control('fail-next', body)).toHaveProperty('problem')
    expect(await control('nothing')).toHaveProperty('problem')
  })

  it('refuses a body beyond 4 MB, compressed or not', async () => {
    await start()
    const tooLarge = await fetch(url, { method: 'POST', body: Buffer.alloc(4 * 1024 * 1024 + 1) })
    expect(tooLarge.status).toBe(413)
    expect((await fetch(url, { method: 'POST', body: gzipSync('x') })).status).toBe(400)
  })

  it('closes at once, whatever is under way', async () => {
    await start({ latencyMinMs: 60_000, latencyMaxMs: 60_000 })
    const waiting = create().then(
      () => 'answered',
      () => 'cut',
    )
    while (simulator.audit().calls.create === 0) await new Promise(resolve => setImmediate(resolve))
    await simulator.stop()
    expect(await waiting).toBe('cut')
  })
})
