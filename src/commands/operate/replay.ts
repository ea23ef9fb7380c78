/** `device-move replay`: derives the outcomes of a job again from what is kept of it, and says what would differ. */
import { policies } from '../../app/wiring'
import { type Comparison, compareOutcomes, type Ending } from '../../domain/compare-outcomes'
import { classifyDeviceCode, type DeviceResult, mergeRows } from '../../domain/device-results'
import { deviceNamesOf } from '../../domain/job'
import { fatesOf } from '../../domain/look-up'
import { type AttemptPolicy, deriveVerdicts } from '../../domain/settlement'
import { parseResultFile } from '../../iot/results/parse-result-file'
import { type JobEvidence, readJobEvidence } from '../../postgres/job/evidence'
import { type DatabaseFlags, withDatabase } from '../database'
import { CommandError, exitCode, usageError } from '../exit-code'

/** The outcomes of a job as derived again, beside those stored. */
export interface Replay extends Comparison {
  readonly batchId: number
  /** The provider's number of the job. */
  readonly jobId: string | null
  readonly ended: 'completed' | 'interrupted'
  /** A job that is not settled has no outcomes yet. */
  readonly settled: boolean
  /** Why the job is held; null when it is not held, or is settled. */
  readonly held: string | null
  readonly moves: number
  readonly files: number
  /** Why a file could not be read: one text for each such file. */
  readonly unreadable: readonly string[]
  /** Devices looked up. */
  readonly lookedUp: number
}

const endingText = (ending: Ending | null): string =>
  ending === null ? 'none' : `${ending.outcome} ${ending.code}${ending.final ? '' : ', re-queued'}`

/** Explains what the derived outcomes of a job are that has none yet. */
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

/** The replay for people: how many moves ended how, and the first `devices` that would end otherwise. */
const replayText = (replay: Replay, devices: number): string => {
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

export interface ReplayFlags extends DatabaseFlags {
  readonly devices: string
  readonly json?: boolean
}

const endOf = ({ job, endedAs }: JobEvidence): 'completed' | 'interrupted' | null => {
  const end = endedAs ?? job.status
  return end === 'completed' || end === 'interrupted' ? end : null
}

/** Does what the settlement does, on what is kept of the job; null when nothing is kept that tells of its devices. */
const replay = (evidence: JobEvidence, policy: AttemptPolicy): Replay | null => {
  const { job, files, lookUps } = evidence
  const ended = endOf(evidence)
  if (ended === null || (files.length === 0 && lookUps.length === 0)) return null
  const { createStartedAt } = job
  const names = deviceNamesOf(job)
  const unreadable: string[] = []
  let rows: ReadonlyMap<string, DeviceResult> = new Map()
  for (const file of files) {
    const parsed = parseResultFile(file, names)
    if ('problem' in parsed) unreadable.push(parsed.problem)
    else rows = mergeRows(rows, parsed.rows)
  }
  const { verdicts } = deriveVerdicts({
    moves: job.moves,
    rows,
    fates: createStartedAt === null ? new Map() : fatesOf(lookUps, { route: job.route, createStartedAt }),
    ended,
    policy,
    classify: classifyDeviceCode,
    // It decides only how long re-queued moves wait, and that is not compared.
    random: () => 0,
  })
  const comparison: Comparison = compareOutcomes(job.moves, evidence.outcomes, verdicts)
  return {
    batchId: job.batchId,
    jobId: job.providerJobId,
    ended,
    settled: job.status === 'settled',
    held: job.status === 'settled' ? null : evidence.heldReason,
    moves: job.moves.length,
    files: files.length,
    unreadable,
    lookedUp: lookUps.length,
    ...comparison,
  }
}

const wholeNumber = (text: string): number =>
  /^\d{1,9}$/.test(text) ? Number(text) : usageError(`--devices ${text}: must be a whole number`)

/** Makes no call and changes nothing. */
export const replayCommand = async (id: string, flags: ReplayFlags): Promise<number> => {
  const shown = wholeNumber(flags.devices)
  const replayed = await withDatabase(flags, async (pool, config) => {
    const evidence = await readJobEvidence(pool, id)
    if (evidence === null) throw new CommandError(`There is no job ${id}: see device_move.jobs.`)
    return replay(evidence, policies(config).attempts)
  })
  if (replayed === null)
    throw new CommandError(`Job ${id} has no result file to derive outcomes from, nor any look-up.`)
  console.log(flags.json ? JSON.stringify(replayed) : replayText(replayed, shown))
  return replayed.differences.length === 0 ? exitCode.done : exitCode.someFailed
}
