import { defer } from 'rxjs'
import { createLease } from '../../src/postgres/lease/postgres-lease'
import { createSimulatedLease, type LeaseRow } from '../simulation/ports/simulated-lease'
import { createFakeLease, createFakeLeaseTable } from '../support/fake-lease'
import { createJournalDatabase } from '../support/journal-database'
import { leaseContract } from './lease.contract'

leaseContract('in memory', async () => {
  const table = createFakeLeaseTable()
  return { replica: holder => createFakeLease(table, holder, 50), close: async () => undefined }
})

leaseContract('of the simulation', async () => {
  const row: LeaseRow = { epoch: 0n, holder: null, expiresAt: Number.NEGATIVE_INFINITY }
  return {
    replica: holder => ({
      ...createSimulatedLease({
        row,
        holder,
        timing: { leaseMs: 2_000, renewEveryMs: 200, quotaWindowMs: 50, marginMs: 500 },
        statement: (_name, work) => defer(work),
        onTaken: () => undefined,
      }),
      stop: async () => undefined,
    }),
    close: async () => undefined,
  }
})

leaseContract('PostgreSQL', async () => {
  const database = await createJournalDatabase({ onError: () => undefined })
  // An answer may take as long as the interval of renewals, which is long here for busy machines.
  const timing = { leaseMs: 10_000, renewEveryMs: 1_000, quotaWindowMs: 50 }
  return {
    replica: holder => createLease(database.url, { holder, ...timing }),
    close: () => database.drop(),
  }
})
