import type { ServerResponse } from 'node:http'
import type { RouteFields } from '../../src/domain/route'
import { createJobApi } from '../../src/iot/client/provider-job-api'

export const rawRoute: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-source',
  strategy: 1,
  targetInstanceIds: ['iot-a', 'iot-b'],
  targetUid: '9984000000000000001',
  targetAliyunId: null,
  priority: 'normal',
}

export const keyPair = { accessKeyId: 'LTAI5tNotAKeyAtAll', accessKeySecret: 'n0t/a+secret' }

/** The real adapter on a server that answers as a test tells it to. */
export const apiOn = (endpoint: string, callTimeoutMs = 10_000, maySend = () => true) =>
  createJobApi({ ...keyPair, endpoint, callTimeoutMs, maySend, resultFileHosts: [] })

export const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
