/** What is wrong with batches that are not held, what is done about it, and what people can do: as sentences. */
import type { LookUpsStatus } from '../postgres/status/read-look-ups'
import type { TroubledJobStatus } from '../postgres/status/read-open-jobs'
import type { OverdueJobStatus } from '../postgres/status/read-overdue-jobs'
import type { RouteStatus } from '../postgres/status/read-routes'

export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

export const batchText = (batchId: number, routeId: number, moves: number): string =>
  `batch ${batchId} of route ${routeId} (${plural(moves, 'move')})`

export const jobTroubleText = (job: TroubledJobStatus): string => {
  const { kind, batchId, routeId, moves, refusals, lastError } = job
  const batch = batchText(batchId, routeId, moves)
  switch (kind) {
    case 'denied':
      return `${batch} is in doubt: ${lastError}; it is asked for again, and held when that has lasted ten minutes`
    case 'no-results':
      return `${batch} has ended, but its results cannot be had: ${lastError}; they are asked for again, at most every 5 minutes`
    case 'unanswered':
      return `${batch}: its create was not answered: ${lastError}; List is searched for its job before anything is sent again`
    case 'refused':
      return `${batch} was refused ${plural(refusals, 'time')} with unrecognised codes, last error: ${lastError}; it is tried again at most every 5 minutes: see what the code means and cure that, or lower QUOTA_JOBS if it is a limit on open jobs`
  }
}

const hours = (ms: number): string =>
  ms < 7_200_000 ? `${Math.round(ms / 60_000)} minutes` : `${(ms / 3_600_000).toFixed(1)} hours`

export const overdueJobText = (job: OverdueJobStatus): string => {
  const { batchId, routeId, moves, jobId, runningSince, ageMs, usualMs } = job
  const usual = usualMs === null ? 'no job has ended yet' : `a job takes ${Math.round(usualMs / 1000)} s`
  return (
    `${batchText(batchId, routeId, moves)} has been running as ${jobId} since ${runningSince} (${hours(ageMs)}; ${usual}), ` +
    'and takes a slot: see in the console whether it goes on; if it never ends, ' +
    `\`device-move resolve ${batchId} --absent\` sends its devices again, which moves them twice if it does go on, and ` +
    `\`--fail\` gives them up, though they may have moved`
  )
}

/** One sentence for each batch that moves of other routes wait for. */
export const blockedTexts = (routes: readonly RouteStatus[]): string[] => {
  const waiting = new Map<number, RouteStatus[]>()
  for (const route of routes)
    if (route.blockedByBatch !== null && route.pending + route.retrying > 0)
      waiting.set(route.blockedByBatch, [...(waiting.get(route.blockedByBatch) ?? []), route])
  return Array.from(waiting, ([batchId, blocked]) => {
    const moves = blocked.reduce((sum, { pending, retrying }) => sum + pending + retrying, 0)
    const ids = blocked.map(({ routeId }) => routeId).join(', ')
    return `${plural(moves, 'move')} of route${blocked.length === 1 ? '' : 's'} ${ids} wait for batch ${batchId}`
  })
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** A length of time for people: in minutes below two hours, else in hours. */
const timeText = (ms: number): string =>
  ms < 2 * hourMs
    ? plural(Math.max(1, Math.round(ms / minuteMs)), 'minute')
    : plural(Math.round(ms / hourMs), 'hour')

/** How fast the line of look-ups goes, and how long it takes. */
export const lookUpsPace = ({ perSecond, remainingMs }: LookUpsStatus): string =>
  perSecond === null || remainingMs === null
    ? 'it is not known yet how long that takes'
    : `${perSecond.toFixed(1)} a second, about ${timeText(remainingMs)}`

export const lookUpsText = (line: LookUpsStatus): string =>
  `${plural(line.moves, 'move')} of ${plural(line.jobs, 'ended job')} wait until their devices are looked up, since no result file tells of them: ${lookUpsPace(line)}; \`device-move resolve JOB --resend\` sends those of a job again without that`
