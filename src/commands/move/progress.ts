/** What is shown while a list is moved, and what its run has cost. */
import { Presets, SingleBar } from 'cli-progress'
import type { FlowEvent, Observe } from '../../domain/flow-event'
import type { Conservation } from '../../postgres/status/conservation'

/** Moves that are final, whichever way they ended. */
const endedOf = (counts: Conservation): number =>
  counts.moved + counts.failed + counts.rejected + counts.superseded + counts.duplicate

/** Moves to which something will still happen by itself. */
export const backlogOf = (counts: Conservation): number => counts.pending + counts.in_flight + counts.retrying

/** Every move is in one of the counts. */
const progressText = (counts: Conservation, openJobs: number): string =>
  `${endedOf(counts)}/${counts.accepted} done · ${counts.moved} moved · ${counts.failed} failed · ` +
  `${counts.rejected} rejected · ${counts.in_flight} in flight · ${openJobs} jobs open · ${counts.retrying} retrying · ` +
  `${counts.pending} pending${counts.held > 0 ? ` · ${counts.held} held` : ''}`

export interface Progress {
  readonly show: (counts: Conservation, openJobs: number) => void
  /** Prints a sentence above the progress. */
  readonly say: (text: string) => void
  /** Leaves the last state on the screen. More than one call does no harm. */
  readonly end: () => void
}

/** Without a terminal there is at most one line in this time, ms. */
const lineEveryMs = 2_000

const createLines = (): Progress => {
  let last = Number.NEGATIVE_INFINITY
  return {
    show: (counts, openJobs) => {
      if (performance.now() - last < lineEveryMs) return
      last = performance.now()
      process.stderr.write(`  ${progressText(counts, openJobs)}\n`)
    },
    say: sentence => process.stderr.write(`  ${sentence}\n`),
    end: () => undefined,
  }
}

const createBar = (): Progress => {
  const bar = new SingleBar(
    {
      format: '  {bar} {percentage}% · {text}',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: false,
    },
    Presets.shades_classic,
  )
  bar.start(1, 0, { text: '' })
  return {
    show: (counts, openJobs) => {
      bar.setTotal(Math.max(1, counts.accepted))
      bar.update(endedOf(counts), { text: progressText(counts, openJobs) })
    },
    // The sentence replaces the line of the bar, which draws itself anew below.
    say: sentence => process.stderr.write(`\r\u001b[K  ${sentence}\n`),
    end: () => bar.stop(),
  }
}

/** Progress on stderr: a bar on a terminal, else a line now and then. */
export const createProgress = (): Progress => (process.stderr.isTTY ? createBar() : createLines())

/** What this start of a run has called and settled. An earlier start may have done the rest of the run. */
export interface RunCost {
  /** Calls that were answered or timed out. */
  readonly calls: number
  readonly jobsSettled: number
  readonly devicesSettled: number
  /** This start has gone on with a job of an earlier one. */
  readonly isResumed: boolean
}

const after = (cost: RunCost, event: FlowEvent): RunCost => {
  switch (event.kind) {
    case 'call-ended':
      return { ...cost, calls: cost.calls + 1 }
    case 'job-resumed':
      return { ...cost, isResumed: true }
    case 'part-settled':
    case 'job-settled': {
      const { moved, failed, retried } = event
      const devicesSettled = cost.devicesSettled + moved + failed + retried
      return {
        ...cost,
        jobsSettled: cost.jobsSettled + (event.kind === 'job-settled' ? 1 : 0),
        devicesSettled,
      }
    }
    default:
      return cost
  }
}

export const createRunCost = (): { readonly observe: Observe; readonly now: () => RunCost } => {
  let cost: RunCost = { calls: 0, jobsSettled: 0, devicesSettled: 0, isResumed: false }
  return {
    observe: event => {
      cost = after(cost, event)
    },
    now: () => cost,
  }
}
