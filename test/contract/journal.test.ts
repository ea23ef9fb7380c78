import { fakeUnderTest, postgresUnderTest } from '../support/journal-harness'
import { journalContract } from './journal.contract'

journalContract('in memory', fakeUnderTest())
journalContract('PostgreSQL', postgresUnderTest())
