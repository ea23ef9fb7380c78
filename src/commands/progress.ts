import { Presets, SingleBar } from 'cli-progress'
import type { Conservation } from '../postgres/conservation'

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
