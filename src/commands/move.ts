import { firstValueFrom } from 'rxjs'
import { filter } from 'rxjs/operators'
import type { Config } from '../config'
import type { FleetFile } from '../files/open-fleet-file'
import { startMain } from '../main'
import { type Conservation, readConservation } from '../postgres/conservation'
import { createPool } from '../postgres/pool'
import { countUnfinished, readRunSummary } from '../postgres/run-summary'
import { providerVariables } from '../wiring'
import { configured } from './configured'
import { databaseProblem } from './database-problem'
import { CommandError, exitCode } from './exit-code'
import { firstSignal } from './first-signal'
import { openFleet } from './open-fleet'
import { startOwnDatabase } from './own-database'
import { summaryText } from './print-summary'
import { backlogOf, createProgress } from './progress'
import { quietLogger } from './quiet-logger'
import { type ResultPlace, resultPlace } from './result-place'
import { createRunCost } from './run-cost'
import { stopWithin } from './stop-within'
import { untilSettled } from './until-settled'
import { writeResults } from './write-results'

export interface MoveFlags {
  readonly out?: string
  readonly force?: boolean
  readonly dataDir: string
}

/** DATABASE_URL, or a PostgreSQL of our own that keeps its data between runs. */
const database = async (
  config: Config,
  dataDir: string,
): Promise<{ url: string; stop: () => Promise<void> }> =>
  config.databaseUrl !== null
    ? { url: config.databaseUrl, stop: async () => undefined }
    : startOwnDatabase(dataDir)

const moveFleet = async (
  config: Config,
  fleet: FleetFile,
  place: ResultPlace,
  flags: MoveFlags,
): Promise<number> => {
  let interrupted = false
  const interruption = firstSignal().then(() => {
    interrupted = true
    process.stderr.write('\n  stopping; start the same command again to go on\n')
  })
  const server = await database(config, flags.dataDir)
  const startedAt = performance.now()
  const cost = createRunCost()
  const running = startMain(
    { ...config, databaseUrl: server.url },
    {
      migrate: true,
      logger: quietLogger(config),
      source: fleet.source,
      sink: null,
      http: false,
      observe: cost.observe,
    },
  )
  const pool = createPool(server.url, { max: 2, onError: () => undefined })
  const progress = createProgress()
  try {
    // While the database cannot be reached this waits; Ctrl-C does not.
    const started = await Promise.race([
      running.started.catch((error: unknown) => {
        throw databaseProblem(error, server.url)
      }),
      interruption,
    ])
    if (started === undefined) {
      await stopWithin(running)
      return exitCode.interrupted
    }
    const { service } = started
    let readAll = false
    service.intakeDone.then(() => {
      readAll = true
    })
    const unreadable = firstValueFrom(
      fleet.source.health$.pipe(filter(health => health.state === 'failed')),
      {
        defaultValue: null,
      },
    )
    let problem: string | null = null
    unreadable.then(health => {
      problem = health?.reason ?? null
    })
    const isDone = async (counts: Conservation): Promise<boolean> =>
      readAll && (backlogOf(counts) === 0 || (await countUnfinished(pool, fleet.topic)) === 0)
    const done = await untilSettled({
      conservation: () => readConservation(pool).catch(() => null),
      isDone,
      openJobs: () => service.status().openJobs.own,
      progress,
      aborted: () => interrupted || problem !== null,
    })
    progress.end()
    await stopWithin(running)
    // What is printed cannot be taken back: only a whole run prints, so that all runs together print each result once.
    const { written, bad } =
      done || place.kind === 'file' ? await writeResults(pool, fleet.topic, place) : { written: 0, bad: 0 }
    if (problem !== null) throw new CommandError(problem)
    const counts = await readConservation(pool)
    const seconds = (performance.now() - startedAt) / 1000
    process.stderr.write(
      `${summaryText({ summary: await readRunSummary(pool), counts, cost: cost.now(), seconds })}\n`,
    )
    process.stderr.write(
      `  ${written} final results of this list${flags.out === undefined ? '' : ` in ${flags.out}`}\n`,
    )
    if (!done) return exitCode.interrupted
    // What is left of this list is held; another list's in the same database is not its concern.
    const isWhole = bad === 0 && (await countUnfinished(pool, fleet.topic)) === 0
    return isWhole ? exitCode.done : exitCode.someFailed
  } finally {
    progress.end()
    await pool.end()
    await server.stop()
  }
}

export const moveCommand = async (path: string, flags: MoveFlags): Promise<number> => {
  const config = configured(providerVariables)
  const fleet = await openFleet(path)
  try {
    const place = await resultPlace(flags.out, { topic: fleet.topic, force: flags.force === true })
    return await moveFleet(config, fleet, place, flags)
  } finally {
    await fleet.close()
  }
}
