/** `device-move move`: moves one list of devices through the whole pipeline, without Kafka. */
import type { Config } from '../../app/config'
import { startMain } from '../../app/main'
import { providerVariables } from '../../app/wiring'
import type { FlowEvent } from '../../domain/flow-event'
import type { FleetFile } from '../../files/fleet-file'
import { createPool } from '../../postgres/session/session'
import { readOtherLists } from '../../postgres/status/run-summary'
import { configured, quietLogger } from '../configured'
import { startOwnDatabase } from '../database'
import { CommandError, exitCode } from '../exit-code'
import { databaseProblem } from '../problems'
import { firstSignal, stopWithin } from '../process-end'
import { openFleet } from '../submit/send-records'
import { followList, otherListsText } from './follow-list'
import { createProgress, createRunCost } from './progress'
import { reportRun } from './report-run'
import { type ResultPlace, resultPlace, writeResults } from './write-results'

/** What an event says of the provider at `endpoint`, for those who watch a list being moved; null for all other events. */
const providerNews = (event: FlowEvent, endpoint: string): string | null => {
  switch (event.kind) {
    case 'provider-unreachable':
      return `the provider at ${endpoint} cannot be reached since ${event.since}: ${event.code} (${event.operation}); it is tried again and again`
    case 'provider-throttles':
      return `the provider at ${endpoint} throttles every call since ${event.since}: ${event.code} (${event.operation}); it is tried again and again`
    case 'provider-answers':
      return 'the provider answers again'
    default:
      return null
  }
}

export interface MoveFlags {
  readonly out?: string
  readonly force?: boolean
  readonly dataDir: string
}

const say = (text: string): void => {
  process.stderr.write(text)
}

/** The database of DATABASE_URL, or an embedded PostgreSQL that keeps its data in `dataDir`. */
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
  signal: Promise<unknown>,
): Promise<number> => {
  const abort = new AbortController()
  const interruption = signal.then(() => {
    abort.abort()
    say('\n  stopping; start the same command again to go on\n')
  })
  const server = await database(config, flags.dataDir)
  const startedAt = performance.now()
  const cost = createRunCost()
  const progress = createProgress()
  const running = startMain(
    { ...config, databaseUrl: server.url },
    {
      migrate: true,
      logger: quietLogger(config),
      source: fleet.source,
      sink: null,
      http: false,
      observe: event => {
        cost.observe(event)
        const news = providerNews(event, config.iotEndpoint)
        if (news !== null) progress.say(news)
      },
    },
  )
  const pool = createPool(server.url, { max: 2, onError: () => undefined })
  const explained = (error: unknown): never => {
    throw databaseProblem(error, server.url)
  }
  try {
    // The start waits while the database cannot be reached, and Ctrl-C ends that.
    const started = await Promise.race([running.started.catch(explained), interruption])
    if (started === undefined) {
      await stopWithin(running)
      return exitCode.interrupted
    }
    const { service } = started
    const others = await readOtherLists(pool, fleet.topic).catch(explained)
    if (others.lists > 0) progress.say(otherListsText(others))
    const aborted = (): boolean => abort.signal.aborted
    const { failed } = running
    const following = followList({ fleet, service, pool, progress, others, aborted, failed })
    const followed = await following.catch(explained)
    await stopWithin(running)
    const done = followed.kind === 'done'
    // Printed results cannot be replaced. Only a run that is done prints, so all starts together print each result once.
    const { written, bad } =
      done || place.kind === 'file'
        ? await writeResults(pool, fleet.topic, place, abort.signal)
        : { written: 0, bad: 0 }
    if (followed.kind === 'unreadable') throw new CommandError(followed.why)
    const seconds = (performance.now() - startedAt) / 1000
    const dataDir = config.databaseUrl === null ? flags.dataDir : null
    const topic = fleet.topic
    const report = reportRun({ pool, topic, cost: cost.now(), seconds, dataDir, say })
    const unfinished = await report.catch(explained)
    say(`  ${written} final results of this list${flags.out === undefined ? '' : ` in ${flags.out}`}\n`)
    if (!done) return exitCode.interrupted
    return bad === 0 && unfinished === 0 ? exitCode.done : exitCode.someFailed
  } finally {
    progress.end()
    await pool.end()
    await server.stop()
  }
}

export const moveCommand = async (path: string, flags: MoveFlags): Promise<number> => {
  const config = configured(providerVariables)
  const fleet = await openFleet(path)
  const signal = firstSignal()
  try {
    const place = await resultPlace(flags.out, { topic: fleet.topic, force: flags.force === true })
    return await moveFleet(config, fleet, place, flags, signal)
  } finally {
    await fleet.close()
  }
}
