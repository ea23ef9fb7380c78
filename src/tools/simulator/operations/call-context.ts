import type { Account } from '../account'
import type { Result } from '../answer'
import type { Params } from '../call'
import type { JobFate } from '../job-fate'

/** One call as an operation sees it, signature and quota behind it. */
export interface CallContext {
  readonly params: Params
  /** ms since 1970 */
  readonly at: number
  /** http://host:port under which the caller reached us. */
  readonly origin: string
  /** For a create: what an injected fault decides about the job. */
  readonly fate: Partial<JobFate>
}

export type OperationHandler = (account: Account, call: CallContext) => Result
