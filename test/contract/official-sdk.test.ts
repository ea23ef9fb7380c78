import Iot, * as sdk from '@alicloud/iot20180120'
import { Config } from '@alicloud/openapi-client'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator'

const names = Array.from({ length: 30 }, (_, i) => `meter@${i}:a.b_c-`)
const keys = { accessKeyId: 'simulator', accessKeySecret: 'simulator-secret' }

const createRequest = (more: Record<string, unknown> = {}) =>
  new sdk.CreateDeviceDistributeJobRequest({
    deviceName: names,
    productKey: 'a1BwAGVexmp',
    sourceInstanceId: 'iot-060a02m5',
    targetInstanceConfig: [
      new sdk.CreateDeviceDistributeJobRequestTargetInstanceConfig({ targetInstanceId: 'iot-cn-6ja9x1' }),
    ],
    strategy: 0,
    targetUid: '1984000000000001',
    ...more,
  })

/** The provider's own SDK, generated from the metadata of its API, checks the simulator's wire format. */
describe.each(['ACS3-HMAC-SHA256', 'v2'])(
  'the official SDK on the simulator, signing with %s,',
  algorithm => {
    let simulator: Simulator
    let endpoint: string

    const clientWith = (more: Record<string, unknown> = {}) =>
      new Iot(new Config({ ...keys, endpoint, protocol: 'http', signatureAlgorithm: algorithm, ...more }))

    beforeEach(async () => {
      // The clock stands still, so what counts as one second does not depend on how busy this machine is.
      const at = Date.now()
      simulator = createSimulator({ seed: 7, initMs: 0, baseMs: 0, perDeviceMs: 0 }, () => at)
      const { port } = await simulator.listen(0)
      endpoint = `127.0.0.1:${port}`
    })
    afterEach(() => simulator.stop())

    it('carries a job from create to its result file', async () => {
      const client = clientWith()
      const created = (await client.createDeviceDistributeJob(createRequest())).body
      expect(created).toMatchObject({ success: true })
      const jobId = created.jobId ?? ''

      const queried = await client.queryDeviceDistributeJob(
        new sdk.QueryDeviceDistributeJobRequest({ jobId }),
      )
      expect(queried.body.data).toMatchObject({
        jobId,
        status: 2,
        total: 30,
        strategy: 0,
        productKey: 'a1BwAGVexmp',
        sourceInstanceId: 'iot-060a02m5',
        targetUid: '1984000000000001',
        targetInstanceConfigs: { targetInstanceConfigs: [{ targetInstanceId: 'iot-cn-6ja9x1' }] },
      })

      const listed = await client.listDeviceDistributeJob(
        new sdk.ListDeviceDistributeJobRequest({ pageSize: 200, productKey: 'a1BwAGVexmp', jobId }),
      )
      expect(listed.body.data?.total).toBe(1)
      expect(listed.body.data?.jobInfo?.items).toMatchObject([
        {
          jobId,
          status: 2,
          total: 30,
          gmtCreate: queried.body.data?.gmtCreate,
          targetInstanceConfigs: { targetInstanceConfigs: [{ targetInstanceId: 'iot-cn-6ja9x1' }] },
        },
      ])

      const detail = await client.queryDeviceDistributeDetail(
        new sdk.QueryDeviceDistributeDetailRequest({ jobId }),
      )
      const rows = (await (await fetch(detail.body.file ?? '')).json()) as Record<string, unknown>[]
      expect(rows.map(row => [row.DeviceName, row.Code])).toEqual(names.map(name => [name, 200]))
      expect(simulator.truth()).toMatchObject({ devices: 30, moves: 30, movedOnce: 30, movedTwice: 0 })

      const deleted = await client.deleteDeviceDistributeJob(
        new sdk.DeleteDeviceDistributeJobRequest({ jobId }),
      )
      expect(deleted.body.success).toBe(true)
      expect(simulator.audit()).toMatchObject({ signatureFailures: 0, breaches: 0 })
    })

    it('takes 10,000 names of the longest kind', async () => {
      const deviceName = Array.from(
        { length: 10_000 },
        (_, i) => `${':'.repeat(27)}${String(i).padStart(5, '0')}`,
      )
      const created = await clientWith().createDeviceDistributeJob(createRequest({ deviceName }))
      expect(created.body.success).toBe(true)
      expect(simulator.truth().devices).toBe(10_000)
    })

    it('refuses a wrong secret as the gateway does', async () => {
      const client = clientWith({ accessKeySecret: 'another' })
      await expect(client.createDeviceDistributeJob(createRequest())).rejects.toMatchObject({
        code: 'SignatureDoesNotMatch',
        data: { statusCode: 403 },
      })
      expect(simulator.audit()).toMatchObject({ signatureFailures: 1, calls: { create: 0 } })
    })

    it('accepts a security token', async () => {
      const created = await clientWith({ securityToken: 'sts-token' }).createDeviceDistributeJob(
        createRequest(),
      )
      expect(created.body.success).toBe(true)
    })

    it('throws when a call exceeds the quota', async () => {
      const client = clientWith()
      const creates = [1, 2, 3].map(n =>
        client.createDeviceDistributeJob(createRequest({ deviceName: [`meter-${n}`] })),
      )
      const [refused, ...more] = (await Promise.allSettled(creates)).flatMap(create =>
        create.status === 'rejected' ? [create.reason as unknown] : [],
      )
      expect(refused).toMatchObject({ code: 'Throttling.User', data: { statusCode: 400 } })
      expect(more).toEqual([])
      expect(simulator.audit()).toMatchObject({ breaches: 1, ownJobs: 2, maxPerSecond: { create: 3 } })
    })

    it('answers a business failure without throwing', async () => {
      const { body } = await clientWith().createDeviceDistributeJob(
        createRequest({ sourceInstanceId: 'iot-cn-6ja9x1' }),
      )
      expect(body).toMatchObject({ success: false, code: 'iot.system.InstanceIdSame' })
      expect(body.errorMessage).toEqual(expect.any(String))
      expect(body.jobId).toBeUndefined()
    })
  },
)
