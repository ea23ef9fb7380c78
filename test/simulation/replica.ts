/** One process of the service: the real service on ports that lead to the simulated world. */
import { createService, type Service } from '../../src/app/service'
import type { FlowEvent } from '../../src/domain/flow-event'
import { defaultRefusalPolicy } from '../../src/domain/refusal'
import type { JobApi } from '../../src/ports/job-api'
import type { DriveJournal } from '../../src/ports/journal'
import type { Lease } from '../../src/ports/lease'
import type { OutcomeSink } from '../../src/ports/outcome-sink'
import type { RequestSource } from '../../src/ports/request-source'
import { createRecordParser, journalChunks } from '../../src/requests/parse-record'
import type { FakeJournal } from '../support/fake-journal'
import type { Clock, Owner } from './clock'
import type { Plan } from './plan'
import type { JournalLink } from './ports/journal-link'

export interface ReplicaDeps {
  readonly plan: Plan
  readonly clock: Clock
  readonly owner: Owner
  readonly journal: FakeJournal
  readonly driveJournal: (epoch: bigint) => DriveJournal
  readonly link: JournalLink
  readonly api: JobApi
  readonly lease: Lease
  readonly sink: OutcomeSink
  readonly source: RequestSource
  readonly observe: (event: FlowEvent) => void
  readonly random: () => number
  /** Called when the service ends: with its error, or with null when it has completed. */
  readonly onEnd: (error: unknown) => void
}

export interface Replica {
  readonly owner: Owner
  readonly link: JournalLink
  /** Stops the service as SIGTERM does. */
  stop(): void
}

export const startReplica = (deps: ReplicaDeps): Replica => {
  const { plan, clock, owner, journal, link } = deps
  let service: Service | null = null
  clock.as(owner, () => {
    service = createService({
      source: deps.source,
      toJournal: journalChunks(createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })),
      intakeJournal: link.reach(journal.intake),
      driveJournal: epoch => link.reach(deps.driveJournal(epoch)),
      outbox: link.reach(journal.outbox),
      changes$: link.changes$,
      soundness: link.soundness,
      api: () => deps.api,
      lease: deps.lease,
      sink: deps.sink,
      publisher: 'publisher',
      policies: {
        quotaJobs: plan.quotaJobs,
        createSettleMs: plan.createSettleMs,
        attempts: { maxAttempts: plan.maxAttempts, backoffMs: 2_000, backoffMaxMs: 60_000 },
        refusals: defaultRefusalPolicy,
        restMs: 5_000,
        lookUpMaxDevices: plan.lookUpMaxDevices,
        overdueFactor: 10,
      },
      quota: {
        shared: plan.qps,
        perOperation: { create: 2, detail: 5, query: 10, list: 5, provisioning: 50 },
      },
      callTimeoutMs: plan.callTimeoutMs,
      observe: deps.observe,
      random: deps.random,
    })
    service.run$.subscribe({ error: deps.onEnd, complete: () => deps.onEnd(null) })
  })
  return { owner, link, stop: () => clock.as(owner, () => service?.stop()) }
}
