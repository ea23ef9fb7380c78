import type { Verdict } from './outcome'

/** Throws unless `verdicts` covers every position of the job, once: anything else would lose or double a move. */
export const checkVerdicts = (jobId: number, seqs: readonly bigint[], verdicts: readonly Verdict[]): void => {
  const open = new Set(seqs)
  for (const { seq, outcome, final, retryInMs } of verdicts) {
    if (!open.delete(seq))
      throw new Error(`job ${jobId}: verdict for position ${seq}, which is not open in it`)
    if (!final && outcome === 'moved')
      throw new Error(`job ${jobId}: position ${seq} moved, but not for good`)
    if (final !== (retryInMs === null))
      throw new Error(`job ${jobId}: position ${seq} needs a delay or an end`)
  }
  if (open.size > 0) throw new Error(`job ${jobId}: ${open.size} of ${seqs.length} moves without a verdict`)
}
