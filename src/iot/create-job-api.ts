import { map } from 'rxjs'
import type { FetchedResults, JobApi } from '../ports'
import { createHostCheck, isLoopback } from './allowed-host'
import { createFailureClassifier, defaultSlotsFullCodes } from './classify-failure'
import { type ClientOptions, createClient } from './client'
import { createJob } from './create-job'
import { deviceProvisioning } from './device-provisioning'
import { type FetchedFile, fetchResultFile } from './fetch-result-file'
import { jobDetail } from './job-detail'
import { listJobs } from './list-jobs'
import { parseResultFile } from './parse-result-file'
import { queryJob } from './query-job'
import { createScrub } from './scrub'

export interface JobApiOptions extends ClientOptions {
  /** Host names; `*.` in front stands for any subdomain. The endpoint's own host is added when that is loopback. */
  readonly resultFileHosts: readonly string[]
  /** Codes that mean "too many jobs are open". */
  readonly slotsFullCodes?: readonly string[]
}

const read = (fetched: FetchedFile, sent: readonly string[]): FetchedResults => {
  if (fetched.kind !== 'file') return fetched
  const parsed = parseResultFile(fetched.file.body, sent)
  const { file } = fetched
  if ('rows' in parsed) return { kind: 'rows', rows: parsed.rows, file }
  const { kind, problem } = parsed
  return kind === 'unreadable' ? { kind, message: problem, file } : { kind, file }
}

/** The provider over its signed API. Every failure is a value; no text it returns holds a secret. */
export const createJobApi = (options: JobApiOptions): JobApi => {
  const secrets = [options.accessKeyId, options.accessKeySecret, options.securityToken ?? '']
  const classify = createFailureClassifier(
    createScrub(secrets),
    options.slotsFullCodes ?? defaultSlotsFullCodes,
  )
  const call = createClient(options, classify)
  const { hostname } = new URL(options.endpoint)
  const check = createHostCheck([...options.resultFileHosts, ...(isLoopback(hostname) ? [hostname] : [])])

  return {
    create: createJob(call, classify),
    list: listJobs(call, classify),
    query: queryJob(call, classify),
    detail: jobDetail(call),
    provisioning: deviceProvisioning(call, classify),
    fetchResults: (url, sent) => fetchResultFile(url, { check }).pipe(map(fetched => read(fetched, sent))),
  }
}
