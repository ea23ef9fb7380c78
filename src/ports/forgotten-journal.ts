/** What the driver keeps of the jobs that a restored database has forgotten, after an operator has accepted it. */
import type { Observable } from 'rxjs'
import type { DeviceResult } from '../domain/device-results'
import type { ForgottenJob } from '../domain/forgotten'

/** The provider's jobs are to be gone through for those that the database does not know. */
export interface UnlistedRestore {
  readonly restoreId: number
  /** How long ago an operator accepted the restored database, ms. */
  readonly acceptedAgoMs: number
  /** When the newest job was created that `lateJobs` newer ones follow, ms since 1970; null: there is none. */
  readonly knownAt: number | null
}

/** The driver's side of the jobs that a restored database has forgotten. */
export interface ForgottenJournal {
  /** What is to be done: jobs are to be listed, or open ones to be read that look like a route of ours. */
  forgotten(): Observable<{
    readonly unlisted: UnlistedRestore | null
    readonly jobs: readonly ForgottenJob[]
  }>
  /** Stores those of the listed jobs that are not ours as open, all at once. Emits how many these are. */
  keepListed(restoreId: number, listed: readonly ForgottenJob[]): Observable<number>
  /** Keeps for people why the jobs could not be listed. */
  setListError(restoreId: number, why: string): Observable<void>
  /** open → read. Keeps what its result file says of each device. */
  keepForgotten(job: ForgottenJob, rows: ReadonlyMap<string, DeviceResult>): Observable<void>
  /** Those of the JobIds without whose results an operator has gone on. */
  givenUp(providerJobIds: readonly string[]): Observable<ReadonlySet<string>>
  /** Keeps what its result file says, and holds the open job for people, because some devices are not told. */
  holdForgotten(job: ForgottenJob, rows: ReadonlyMap<string, DeviceResult>, why: string): Observable<void>
}
