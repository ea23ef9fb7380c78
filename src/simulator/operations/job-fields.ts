import { failure, type Result } from '../answer'
import { type SimulatedJob, statusAt } from '../job-book'

const REGION = 'cn-shanghai'

/** A job as Query shows it; the inner key of the targets really is in lower case. */
export const queryFields = (job: SimulatedJob, accountUid: string, asOf: number) => ({
  GmtCreate: job.createdAt,
  JobId: job.jobId,
  ProductKey: job.productKey,
  SourceInstanceId: job.sourceInstanceId,
  SourceUid: accountUid,
  Status: statusAt(job, asOf),
  Strategy: job.strategy,
  TargetInstanceConfigs: {
    targetInstanceConfigs: job.targetInstanceIds.map(id => ({ TargetInstanceId: id })),
  },
  TargetUid: job.targetUid,
  Total: job.total,
})

/** As List shows it: with names and regions of the instances besides. */
export const listFields = (job: SimulatedJob, accountUid: string, asOf: number) => ({
  ...queryFields(job, accountUid, asOf),
  SourceInstanceName: job.sourceInstanceId,
  SourceRegion: REGION,
  TargetInstanceConfigs: {
    targetInstanceConfigs: job.targetInstanceIds.map(id => ({
      TargetInstanceId: id,
      TargetInstanceName: id,
      TargetRegion: REGION,
    })),
  },
})

/** Made up: the code for an unknown job is not documented. */
export const jobNotFound = (): Result =>
  failure('iot.distribute.JobNotFound', 'The distribution job does not exist.')

export const region = REGION
