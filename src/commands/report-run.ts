import { readConservation } from '../postgres/conservation'
import type { Pool } from '../postgres/pool'
import { readOpenJobs } from '../postgres/read-open-jobs'
import { readRoutes } from '../postgres/read-status'
import { readRunSummary } from '../postgres/run-summary'
import { heldText } from './held-text'
import { summaryText } from './print-summary'
import type { RunCost } from './run-cost'

export interface ReportDeps {
  readonly pool: Pool
  /** Of the list. */
  readonly topic: string
  readonly cost: RunCost
  readonly seconds: number
  /** null: the database is that of DATABASE_URL. */
  readonly dataDir: string | null
  readonly say: (text: string) => void
}

/** Says what became of the list, and what somebody has to do for the rest of it; returns how many moves that is. */
export const reportRun = async ({
  pool,
  topic,
  cost,
  seconds,
  dataDir,
  say,
}: ReportDeps): Promise<number> => {
  const summary = await readRunSummary(pool, topic)
  const { gap, held } = await readConservation(pool)
  say(`${summaryText({ summary, gap, cost, seconds })}\n`)
  if (summary.unfinished > 0 && held > 0) {
    const { heldJobs } = await readOpenJobs(pool)
    say(heldText({ heldJobs, routes: await readRoutes(pool), dataDir }))
  }
  return summary.unfinished
}
