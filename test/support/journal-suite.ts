import type { Pool } from '../../src/postgres/session/session'
import { createJournalDatabase, type JournalDatabase } from './journal-database'
import { emptyJournal, harnessOn } from './journal-harness'
import { all, createJourney, type Journey } from './journal-journey'

export interface JournalSuite {
  readonly journey: Journey
  readonly database: { readonly pool: Pool }
}

/**
 * Gives the `describe` around it a journal in PostgreSQL. It is empty before each case, and its conservation is checked
 * after each.
 */
export const useJournal = (): JournalSuite => {
  let database: JournalDatabase
  const journey = createJourney({
    open: async options => {
      await emptyJournal(database.pool)
      return harnessOn(database.pool, options)
    },
    close: async () => undefined,
  })
  beforeAll(async () => {
    database = await createJournalDatabase()
  })
  beforeEach(() => journey.open(all))
  afterEach(() => journey.check())
  afterAll(() => database.drop())
  return {
    journey,
    database: {
      get pool() {
        return database.pool
      },
    },
  }
}
