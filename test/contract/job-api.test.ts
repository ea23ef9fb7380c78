import { createJobApi } from '../../src/iot/client/provider-job-api'
import type { Operation } from '../../src/ports/job-api'
import type { Fault } from '../../src/tools/simulator/faults'
import { createSimulator } from '../../src/tools/simulator/simulator'
import { createSimulatedProvider } from '../support/simulated-provider'
import type { CallFault } from '../support/simulated-wire'
import { describeJobApi } from './job-api.contract'
import type { ApiFault, FetchFault, JobApiHarness } from './job-api-harness'
import { describeJobResults } from './job-results.contract'

const accountCode = 'Forbidden.RAM'
const batchCode = 'iot.prod.NotExistedProduct'
const newCode = 'iot.distribute.NeverSeenBefore'

const inMemory = async (): Promise<JobApiHarness> => {
  const faults = new Map<Operation, CallFault[]>()
  const fetchFaults: FetchFault[] = []
  const callFaults: Readonly<Record<ApiFault, CallFault>> = {
    throttle: 'throttle',
    'lose-answer': 'lose-answer',
    'lose-request': 'lose-request',
    batch: { kind: 'batch-refused', code: batchCode },
    account: { kind: 'account-refused', code: accountCode },
    'new-code': { kind: 'unknown', code: newCode },
  }
  const provider = createSimulatedProvider({
    latencyMs: 1,
    callTimeoutMs: 300,
    jobBaseMs: 100,
    jobPerDeviceMs: 0,
    maxOpenJobs: 3,
    onCall: operation => faults.get(operation)?.shift() ?? 'ok',
    onFetch: () => fetchFaults.shift() ?? 'ok',
    resultOf: name => ({ code: name.startsWith('missing-') ? 'iot.device.NotExistedDevice' : '200' }),
  })
  return {
    api: provider,
    calls: operation => provider.audit.arrivals[operation].length,
    failNext: (operation, fault) => faults.set(operation, [callFaults[fault]]),
    failNextFetch: fault => fetchFaults.push(fault),
    addForeignJob: productKey =>
      void provider.startForeignJob(
        {
          productKey,
          sourceInstanceId: 'iot-theirs',
          strategy: 0,
          targetInstanceIds: ['iot-other'],
          targetUid: '1984000000000001',
          targetAliyunId: null,
          priority: 'normal',
        },
        3,
        60_000,
      ),
    close: async () => provider.stop(),
  }
}

const overHttp = async (): Promise<JobApiHarness> => {
  const callFaults: Readonly<Record<ApiFault, Fault>> = {
    throttle: { kind: 'throttled' },
    'lose-answer': { kind: 'lost-response' },
    'lose-request': { kind: 'lost-request' },
    batch: { kind: 'business', code: batchCode },
    account: { kind: 'gateway', status: 403, code: accountCode },
    'new-code': { kind: 'business', code: newCode },
  }
  const fileFaults = { expired: 'expired', unreachable: 'unavailable', unreadable: 'html' } as const
  const noCaps = { qps: 0, qpsCreate: 0, qpsQuery: 0, qpsDetail: 0, qpsList: 0, qpsProvisioning: 0 }
  const simulator = createSimulator({ ...noCaps, jobs: 3, initMs: 30, baseMs: 70, perDeviceMs: 0, jitter: 0 })
  const { url } = await simulator.listen(0)
  return {
    api: createJobApi({
      accessKeyId: 'simulator',
      accessKeySecret: 'simulator-secret',
      endpoint: url,
      callTimeoutMs: 10_000,
      resultFileHosts: ['*.aliyuncs.com'],
    }),
    calls: operation => simulator.audit().calls[operation] ?? 0,
    failNext: (operation, fault) => simulator.failNext(operation, callFaults[fault]),
    failNextFetch: fault => simulator.failNext('file', { kind: 'file', fault: fileFaults[fault] }),
    addForeignJob: productKey =>
      void simulator.addForeignJob({ productKey, openMs: 60_000, beyondLimit: true }),
    close: () => simulator.stop(),
  }
}

describeJobApi('in memory', inMemory)
describeJobResults('in memory', inMemory)
describeJobApi('over HTTP', overHttp)
describeJobResults('over HTTP', overHttp)
