import type { Comparison, Ending } from '../domain/compare-outcomes'

/** A job's outcomes derived again, beside those stored. */
export interface Replay extends Comparison {
  /** Our own number. */
  readonly batchId: number
  /** The provider's. */
  readonly jobId: string | null
  readonly ended: 'completed' | 'interrupted'
  /** Not settled, it has no outcomes yet. */
  readonly settled: boolean
  /** Why it is held; null: it is not, or it is settled. */
  readonly held: string | null
  readonly moves: number
  readonly files: number
  /** Why a file could not be read, one text a file. */
  readonly unreadable: readonly string[]
  /** Devices looked up. */
  readonly lookedUp: number
}

const endingText = (ending: Ending | null): string =>
  ending === null ? 'none' : `${ending.outcome} ${ending.code}${ending.final ? '' : ', re-queued'}`

/** Of a job that has no outcomes yet, what those derived are. */
const unsettledText = ({ settled, held }: Replay): string[] => {
  if (settled) return []
  const state = held === null ? 'It is not settled yet' : `It is held and not settled: ${held}`
  return [
    state,
    'Derived is what it would be settled with if no more came to be known than is kept of it now.',
  ]
}

const row = (what: string, stored: string, derived: string): string =>
  `  ${what.padEnd(44)}${stored.padStart(10)}${derived.padStart(10)}`

/** For people: how many moves ended how, and the first `devices` that would end otherwise. */
export const replayText = (replay: Replay, devices: number): string => {
  const { counts, differences, unreadable } = replay
  const ended = `${replay.ended}${replay.settled ? '' : ', not settled'}`
  const lines = [
    `Job ${replay.jobId} (batch ${replay.batchId}), ${ended}: ${replay.moves} moves, ${replay.files} result files, ${replay.lookedUp} devices looked up`,
    ...unsettledText(replay),
    ...unreadable.map(problem => `A file cannot be read: ${problem}`),
    row('outcome', 'stored', 'derived'),
    ...counts.map(count => row(endingText(count), String(count.stored), String(count.derived))),
  ]
  if (differences.length === 0) return [...lines, 'Nothing differs.'].join('\n')
  return [
    ...lines,
    `${differences.length} differ:`,
    ...differences
      .slice(0, devices)
      .map(
        ({ deviceName, attempt, stored, derived }) =>
          `  ${deviceName} (attempt ${attempt}): ${endingText(stored)} → ${endingText(derived)}`,
      ),
    ...(differences.length > devices ? [`  and ${differences.length - devices} more (--devices)`] : []),
  ].join('\n')
}
