/** Why the running process does not move everything that it could, as sentences for people. */
import type { ProcessStatus } from './readiness'

export const processReasons = ({ flows, source, accountRefused, openJobs }: ProcessStatus): string[] => {
  const reasons: string[] = []
  for (const [flow, { problem, state }] of Object.entries(flows))
    if (problem !== null && state !== 'standing-by')
      reasons.push(state === 'stopped' ? problem : `${flow}: ${problem}`)
  if (source.state === 'failed' || source.state === 'starting')
    reasons.push(`intake: ${source.reason ?? 'partitions of the requests topic are not assigned yet'}`)
  if (accountRefused !== null)
    reasons.push(
      `the provider refuses the account: ${accountRefused.code} (${accountRefused.operation}); keys, clock, permissions, bill`,
    )
  if (openJobs?.own === 0 && openJobs.foreign >= openJobs.capacity)
    reasons.push(`all ${openJobs.capacity} slots are taken by jobs that are not ours`)
  return reasons
}
