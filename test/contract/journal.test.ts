import { fakeUnderTest, postgresUnderTest } from '../support/journal-harness'
import { journalClaimContract } from './journal-claim.contract'
import { journalIntakeContract } from './journal-intake.contract'
import { journalOneCreateContract } from './journal-one-create.contract'
import { journalOutboxContract } from './journal-outbox.contract'
import { journalPartsContract } from './journal-parts.contract'
import { journalStepsContract } from './journal-steps.contract'

const contracts = [
  journalIntakeContract,
  journalClaimContract,
  journalOneCreateContract,
  journalStepsContract,
  journalPartsContract,
  journalOutboxContract,
]

for (const contract of contracts) {
  contract('in memory', fakeUnderTest())
  contract('PostgreSQL', postgresUnderTest())
}
