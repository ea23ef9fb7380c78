import { readConservation } from '../postgres/conservation'
import { inSnapshot } from '../postgres/in-snapshot'
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
export const reportRun = async (deps: ReportDeps): Promise<number> => {
  const { pool, topic, cost, seconds, dataDir, say } = deps
  const { summary, gap, held } = await inSnapshot(pool, async from => {
    const summary = await readRunSummary(from, topic)
    const { gap, held } = await readConservation(from)
    if (summary.unfinished === 0 || held === 0) return { summary, gap, held: null }
    const { heldJobs } = await readOpenJobs(from)
    return { summary, gap, held: { heldJobs, routes: await readRoutes(from) } }
  })
  say(`${summaryText({ summary, gap, cost, seconds })}\n`)
  if (held !== null) say(heldText({ ...held, dataDir }))
  return summary.unfinished
}
