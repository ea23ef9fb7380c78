import { createLease } from '../../src/postgres/lease'
import { createFakeLease, createFakeLeaseTable } from '../support/fake-lease'
import { createJournalDatabase } from '../support/journal-database'
import { leaseContract } from './lease.contract'

leaseContract('in memory', async () => {
  const table = createFakeLeaseTable()
  return { replica: holder => createFakeLease(table, holder, 50), close: async () => undefined }
})

leaseContract('PostgreSQL', async () => {
  const database = await createJournalDatabase({ onError: () => undefined })
  const timing = { leaseMs: 2_000, renewEveryMs: 200, quotaWindowMs: 50 }
  return {
    replica: holder => createLease(database.url, { holder, ...timing }),
    close: () => database.drop(),
  }
})
