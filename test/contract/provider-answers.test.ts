import type { RequestListener } from 'node:http'
import { firstValueFrom } from 'rxjs'
import { apiOn, json, rawRoute as route } from '../support/raw-provider'
import { bodyOf, type RawServer, startRawServer } from '../support/raw-server'

const job = {
  JobId: '00123',
  Status: '1',
  ProductKey: 'a1BwAGVexmp',
  SourceInstanceId: 'iot-source',
  Strategy: 0,
  TargetUid: '9984000000000000001',
  Total: 10,
  GmtCreate: 1_581_595_942_000,
}

describe('the adapter of the provider', () => {
  let server: RawServer | undefined
  afterEach(() => server?.close())
  const serve = async (listener: RequestListener, callTimeoutMs?: number) => {
    server = await startRawServer(listener)
    return apiOn(server.url, callTimeoutMs)
  }

  it('sends everything of a create in the body, and nothing in the URL', async () => {
    let sent = new URLSearchParams()
    const api = await serve((request, response) => {
      bodyOf(request).then(body => {
        sent = new URLSearchParams(body)
        json(response, 200, { Success: true, JobId: '00123' })
      })
    })
    const created = await firstValueFrom(api.create(route, ['meter:0001', 'meter@0002']))
    expect(created).toEqual({ ok: true, value: { providerJobId: '00123' } })
    expect(server?.requests).toEqual(['POST /'])
    expect(Object.fromEntries(sent)).toEqual({
      'DeviceName.1': 'meter:0001',
      'DeviceName.2': 'meter@0002',
      ProductKey: 'a1BwAGVexmp',
      SourceInstanceId: 'iot-source',
      Strategy: '1',
      TargetUid: '9984000000000000001',
      'TargetInstanceConfig.1.TargetInstanceId': 'iot-a',
      'TargetInstanceConfig.2.TargetInstanceId': 'iot-b',
    })
  })

  it.each([
    ['no Code', { Success: true, JobId: 'j' }],
    ['an empty Code', { Success: true, Code: '', JobId: 'j' }],
    ['a Code that reads like a failure', { Success: true, Code: 'iot.prod.X', JobId: 'j' }],
    ['Success as text', { Success: 'true', Code: 'success', JobId: 'j' }],
  ])('decides by the field Success alone, here with %s', async (_, body) => {
    const api = await serve((_request, response) => json(response, 200, body))
    expect(await firstValueFrom(api.create(route, ['meter']))).toEqual({
      ok: true,
      value: { providerJobId: 'j' },
    })
  })

  it.each([
    [
      'its wrapper',
      { targetInstanceConfigs: [{ TargetInstanceId: 'b' }, { TargetInstanceId: 'a' }] },
      ['a', 'b'],
    ],
    ['a bare list', [{ TargetInstanceId: 'b' }, { TargetInstanceId: 'a' }], ['a', 'b']],
    ['nothing', undefined, []],
  ])('reads target instances from %s', async (_, TargetInstanceConfigs, targetInstanceIds) => {
    const api = await serve((_request, response) =>
      json(response, 200, { Success: true, Data: { ...job, TargetInstanceConfigs } }),
    )
    expect(await firstValueFrom(api.query('00123'))).toEqual({
      ok: true,
      value: {
        providerJobId: '00123',
        status: 1,
        productKey: 'a1BwAGVexmp',
        sourceInstanceId: 'iot-source',
        strategy: 0,
        targetInstanceIds,
        targetUid: '9984000000000000001',
        total: 10,
        createdAt: 1_581_595_942_000,
      },
    })
    expect(server?.requests).toEqual(['POST /?JobId=00123'])
  })

  it.each([
    ['one job it cannot read', { Total: 2, JobInfo: { items: [job, { ...job, Status: 7 }] } }],
    ['no list and no total', {}],
  ])('takes a list with %s for no answer, because the absence of a job has consequences', async (_, Data) => {
    const api = await serve((_request, response) => json(response, 200, { Success: true, Data }))
    expect(await firstValueFrom(api.list({}))).toMatchObject({ ok: false, kind: 'unknown' })
  })

  it('reads an empty list, and asks for the page after a token', async () => {
    const api = await serve((_request, response) =>
      json(response, 200, { Success: true, Data: { Total: 0, NextToken: '', JobInfo: { items: [] } } }),
    )
    const page = await firstValueFrom(api.list({ productKey: 'a1BwAGVexmp', nextToken: 'next' }))
    expect(page).toEqual({ ok: true, value: { jobs: [], nextToken: null, total: 0 } })
    expect(server?.requests).toEqual(['POST /?PageSize=200&ProductKey=a1BwAGVexmp&NextToken=next'])
  })

  it.each<[string, object, unknown]>([
    [
      'the documented form',
      {
        DeviceName: 'meter-1',
        SourceIotInstanceId: 'iot-source',
        TargetIotInstanceId: 'iot-a',
        GmtCreate: 1_676_297_683_000,
        GmtModified: 1_676_297_684_000,
      },
      {
        ok: true,
        value: {
          instanceId: 'iot-a',
          cameFrom: 'iot-source',
          sentAt: 1_676_297_683_000,
          changedAt: 1_676_297_684_000,
        },
      },
    ],
    [
      'no more than the place',
      { TargetIotInstanceId: 'iot-a' },
      { ok: true, value: { instanceId: 'iot-a', cameFrom: null, sentAt: null, changedAt: null } },
    ],
    [
      'no place',
      { DeviceName: 'meter-1', SourceIotInstanceId: 'iot-source' },
      { ok: false, kind: 'unknown', code: 'unusable-answer', message: expect.any(String) },
    ],
    [
      'another device',
      { DeviceName: 'meter-2', TargetIotInstanceId: 'iot-a' },
      { ok: false, kind: 'unknown', code: 'unusable-answer', message: expect.any(String) },
    ],
  ])('reads where a device is from %s', async (_, Data, expected) => {
    const api = await serve((_request, response) =>
      json(response, 200, { Success: true, Code: 'success', Data }),
    )
    expect(await firstValueFrom(api.provisioning('a1BwAGVexmp', 'meter-1'))).toEqual(expected)
    expect(server?.requests).toEqual(['POST /?ProductKey=a1BwAGVexmp&DeviceName=meter-1'])
  })
})
