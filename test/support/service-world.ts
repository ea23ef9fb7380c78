import { createService } from '../../src/app/service'
import type { FlowEvent } from '../../src/domain/flow-event'
import { defaultRefusalPolicy } from '../../src/domain/refusal'
import { createRecordParser, journalChunks } from '../../src/requests/parse-record'
import { alwaysSound } from './always-sound'
import { createFakeJournal } from './fake-journal'
import { createFakeLease, createFakeLeaseTable } from './fake-lease'
import { createFakeOutcomeSink } from './fake-outcome-sink'
import { createFakeRequestSource } from './fake-request-source'
import { createSimulatedProvider, type SimulatedProviderOptions } from './simulated-provider'
import { seeded } from './virtual-driver'

export const minute = 60_000

/** Several replicas of the service with one journal, one topic and one provider, in memory and in virtual time. */
export const createWorld = (
  providerOptions: SimulatedProviderOptions = {},
  { publishedBefore = null }: { readonly publishedBefore?: bigint | null } = {},
) => {
  const journal = createFakeJournal({ batchMaxDevices: 100, batchMaxWaitMs: 1_000, latencyMs: 2 })
  const provider = createSimulatedProvider({ latencyMs: 30, jobBaseMs: 5_000, ...providerOptions })
  const requests = createFakeRequestSource({ partitions: 2, chunkRecords: 50 })
  const outcomes = createFakeOutcomeSink({ publishMs: 20, position: publishedBefore })
  const table = createFakeLeaseTable()
  const events: FlowEvent[] = []
  const replica = (holder: string) => {
    const lease = createFakeLease(table, holder)
    const service = createService({
      soundness: alwaysSound,
      source: requests.source,
      toJournal: journalChunks(createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })),
      intakeJournal: journal.intake,
      driveJournal: epoch => {
        // The store keeps the newest epoch, as the row of the lease does.
        journal.store.lease.epoch = epoch
        return journal.drive(epoch)
      },
      outbox: journal.outbox,
      changes$: journal.changes,
      api: () => provider,
      lease,
      sink: outcomes.sink,
      publisher: 'publisher',
      policies: {
        quotaJobs: 10,
        createSettleMs: 10_000,
        attempts: { maxAttempts: 4, backoffMs: 2_000, backoffMaxMs: 60_000 },
        lookUpMaxDevices: 0,
        overdueFactor: 10,
        refusals: defaultRefusalPolicy,
        restMs: 5_000,
      },
      quota: { shared: 2, perOperation: { create: 2, detail: 5, query: 10, list: 5, provisioning: 50 } },
      callTimeoutMs: 20_000,
      observe: event => events.push(event),
      random: seeded(holder.length),
    })
    return { service, lease }
  }
  const request = (deviceName: string, more: Readonly<Record<string, unknown>> = {}): void => {
    const body = {
      requestId: `req/${deviceName}`,
      deviceName,
      productKey: 'a1BwAGVexmp',
      sourceInstanceId: 'iot-a',
      targetInstanceId: 'iot-b',
      targetUid: '1984000000000001',
      ...more,
    }
    requests.produce(deviceName.charCodeAt(deviceName.length - 1) % 2, {
      value: Buffer.from(JSON.stringify(body)),
    })
  }
  return { journal, provider, outcomes, replica, request, requests, table, events }
}

export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(4, '0')}`)
