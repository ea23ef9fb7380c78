import type { Account } from '../account'
import type { Result } from '../answer'
import type { Params } from '../call'
import type { JobFate } from '../job-fate'

/** One call as an operation sees it, after the checks of signature and quota. */
export interface CallContext {
  readonly params: Params
  /** ms since 1970 */
  readonly at: number
  /** http://host:port under which the caller reached the simulator. */
  readonly origin: string
  /** What an injected fault decides about the job that a create opens. */
  readonly fate: Partial<JobFate>
}

export type OperationHandler = (account: Account, call: CallContext) => Result
