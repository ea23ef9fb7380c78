import { fakeUnderTest, postgresUnderTest } from '../support/journal-harness'
import { journalClaimContract } from './journal-claim.contract'
import { journalIntakeContract } from './journal-intake.contract'
import { journalOneCreateContract } from './journal-one-create.contract'
import { journalOutboxContract } from './journal-outbox.contract'
import { journalPartsContract } from './journal-parts.contract'
import { journalRefusedRouteContract } from './journal-refused-route.contract'
import { journalSearchContract } from './journal-search.contract'
import { journalStepsContract } from './journal-steps.contract'

const contracts = [
  journalIntakeContract,
  journalClaimContract,
  journalOneCreateContract,
  journalSearchContract,
  journalRefusedRouteContract,
  journalStepsContract,
  journalPartsContract,
  journalOutboxContract,
]

for (const contract of contracts) {
  contract('in memory', fakeUnderTest())
  contract('PostgreSQL', postgresUnderTest())
}
