import { type Comparison, compareOutcomes } from '../domain/compare-outcomes'
import { classifyDeviceCode } from '../domain/device-codes'
import { deviceNamesOf } from '../domain/job'
import { fatesOf, openJobOf } from '../domain/look-up'
import { mergeRows } from '../domain/merge-rows'
import { type AttemptPolicy, type DeviceResult, deriveVerdicts } from '../domain/settlement'
import { parseResultFile } from '../iot/parse-result-file'
import { type JobEvidence, readJobEvidence } from '../postgres/read-evidence'
import { policies } from '../wiring'
import { CommandError, exitCode } from './exit-code'
import { type Replay, replayText } from './print-replay'
import { type DatabaseFlags, withDatabase } from './with-database'

export interface ReplayFlags extends DatabaseFlags {
  readonly devices: string
  readonly json?: boolean
}

const endOf = ({ job, endedAs }: JobEvidence): 'completed' | 'interrupted' | null => {
  const end = endedAs ?? job.status
  return end === 'completed' || end === 'interrupted' ? end : null
}

/** What the settlement does, on what is kept of it. */
const replay = (evidence: JobEvidence, policy: AttemptPolicy): Replay | null => {
  const { job, files, lookUps } = evidence
  const ended = endOf(evidence)
  if (ended === null || (files.length === 0 && lookUps.length === 0)) return null
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
    fates: fatesOf(lookUps, openJobOf(job)),
    ended,
    policy,
    classify: classifyDeviceCode,
    // It only decides how long re-queued moves wait, which is not compared.
    random: () => 0,
  })
  const comparison: Comparison = compareOutcomes(job.moves, evidence.outcomes, verdicts)
  return {
    batchId: job.jobId,
    jobId: job.providerJobId,
    ended,
    settled: evidence.endedAs !== null,
    held: evidence.endedAs === null ? evidence.heldReason : null,
    moves: job.moves.length,
    files: files.length,
    unreadable,
    lookedUp: lookUps.length,
    ...comparison,
  }
}

const wholeNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text))
    throw new CommandError(`--devices ${text}: must be a whole number`, exitCode.usage)
  return Number(text)
}

/** Derives a job's outcomes again, without a call, and says what would differ. Changes nothing. */
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
