import { fakeUnderTest, postgresUnderTest } from '../support/journal-harness'
import { journalConservation } from './journal-conservation.contract'

journalConservation('in memory', fakeUnderTest(), 300)
journalConservation('PostgreSQL', postgresUnderTest(), 25)
