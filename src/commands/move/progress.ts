import { Presets, SingleBar } from 'cli-progress'
import type { FlowEvent, Observe } from '../../domain/flow-event'
import type { Conservation } from '../../postgres/status/conservation'

/** Final moves, whichever way they ended. */
export const endedOf = (counts: Conservation): number =>
  counts.moved + counts.failed + counts.rejected + counts.superseded + counts.duplicate

/** Moves that something will still happen to by itself. */
export const backlogOf = (counts: Conservation): number => counts.pending + counts.in_flight + counts.retrying

export interface Progress {
  /** Every move is in one of the counts. */
  readonly show: (counts: Conservation, openJobs: number) => void
  /** A sentence in between. */
  readonly say: (text: string) => void
  readonly end: () => void
}

/** Without a terminal a line at most so often, ms. */
const lineEveryMs = 2_000

/** On stderr: a bar on a terminal, else a line now and then. */
export const createProgress = (): Progress => {
  const text = (counts: Conservation, openJobs: number): string =>
    `${endedOf(counts)}/${counts.accepted} done · ${counts.moved} moved · ${counts.failed} failed · ` +
    `${counts.rejected} rejected · ${counts.in_flight} in flight · ${openJobs} jobs open · ${counts.retrying} retrying · ` +
    `${counts.pending} pending${counts.held > 0 ? ` · ${counts.held} held` : ''}`
  if (!process.stderr.isTTY) {
    let last = Number.NEGATIVE_INFINITY
    return {
      show: (counts, openJobs) => {
        if (performance.now() - last < lineEveryMs) return
        last = performance.now()
        process.stderr.write(`  ${text(counts, openJobs)}\n`)
      },
      say: sentence => process.stderr.write(`  ${sentence}\n`),
      end: () => undefined,
    }
  }
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
      bar.update(endedOf(counts), { text: text(counts, openJobs) })
    },
    // Over the bar, which draws itself anew below.
    say: sentence => process.stderr.write(`\r\u001b[K  ${sentence}\n`),
    end: () => bar.stop(),
  }
}

/** What this start of a run has cost and settled, be the run older or not. */
export interface RunCost {
  /** Every call that was answered or timed out. */
  readonly calls: number
  readonly jobsSettled: number
  readonly devicesSettled: number
  /** It went on with a job of an earlier start. */
  readonly isResumed: boolean
}

const after = (cost: RunCost, event: FlowEvent): RunCost => {
  switch (event.kind) {
    case 'call-ended':
      return { ...cost, calls: cost.calls + 1 }
    case 'job-resumed':
      return { ...cost, isResumed: true }
    case 'job-settled': {
      const { moved, failed, retried } = event
      const devicesSettled = cost.devicesSettled + moved + failed + retried
      return { ...cost, jobsSettled: cost.jobsSettled + 1, devicesSettled }
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
