import type { OutcomeKind } from './outcome'

export type FlowName = 'intake' | 'drive' | 'publish'

/** What the flows report. Telemetry turns it into log lines and metrics. No decision depends on it. */
export type FlowEvent =
  | {
      readonly kind: 'appended'
      readonly partition: number
      readonly moves: number
      readonly rejections: number
    }
  | { readonly kind: 'lease-held'; readonly epoch: bigint }
  | { readonly kind: 'standing-by'; readonly holder: string | null }
  | {
      readonly kind: 'batch-claimed'
      readonly batchId: number
      readonly routeId: number
      readonly moves: number
    }
  | { readonly kind: 'job-resumed'; readonly batchId: number; readonly status: string }
  | {
      readonly kind: 'call-ended'
      readonly operation: string
      readonly result: string
      /** null: it succeeded. */
      readonly code: string | null
      readonly tookMs: number
    }
  /**
   * Since `since` (ISO 8601) every call has gone unanswered, or every call was throttled. It is reported again when the
   * kind or the code changes.
   */
  | {
      readonly kind: 'provider-unreachable' | 'provider-throttles'
      readonly since: string
      readonly operation: string
      readonly code: string
    }
  /** The provider answers calls again after `provider-unreachable` or `provider-throttles`. */
  | {
      readonly kind: 'provider-answers'
      readonly after: 'unreachable' | 'throttled'
      readonly since: string
    }
  | {
      readonly kind: 'create-refused'
      readonly batchId: number
      readonly code: string
      readonly next: string
      /** The create was spent on a search for bad devices. */
      readonly isSearch: boolean
    }
  | { readonly kind: 'create-unanswered'; readonly batchId: number; readonly why: string }
  | { readonly kind: 'create-reconciled'; readonly batchId: number; readonly as: 'adopted' | 'absent' }
  /** The listed job that was adopted is somebody else's: its result file names other devices only. */
  | { readonly kind: 'job-unadopted'; readonly batchId: number; readonly providerJobId: string }
  | {
      readonly kind: 'job-created'
      readonly batchId: number
      readonly providerJobId: string
      readonly devices: number
      readonly isSearch: boolean
    }
  /**
   * The provider says that it does not know a job of ours that counts as running. It is reported at the first denial.
   */
  | {
      readonly kind: 'job-denied'
      readonly batchId: number
      readonly providerJobId: string
      readonly why: string
    }
  /** The provider knows the job again. */
  | { readonly kind: 'job-known-again'; readonly batchId: number; readonly providerJobId: string }
  /**
   * The job runs for so long that people are to look whether it goes on. `mostMs` is the age from which it is overdue. It
   * is reported once, and again after a restart.
   */
  | {
      readonly kind: 'job-overdue'
      readonly batchId: number
      readonly providerJobId: string
      readonly ageMs: number
      readonly mostMs: number
    }
  /** An operator has resolved the job while its end was awaited. */
  | { readonly kind: 'job-resolved'; readonly batchId: number; readonly providerJobId: string }
  | {
      readonly kind: 'job-ended'
      readonly batchId: number
      readonly as: 'completed' | 'interrupted'
      readonly tookMs: number
    }
  | { readonly kind: 'result-file-problem'; readonly batchId: number; readonly problem: string }
  /**
   * Numbers of devices that the job's file does not report on, of one part of the job. Of the `untold` ones it is not
   * known where they are: they could not be looked up, or the look-up left it open.
   */
  | {
      readonly kind: 'devices-looked-up'
      readonly batchId: number
      readonly moved: number
      readonly elsewhere: number
      readonly untold: number
    }
  /** A part of the job is settled, and `open` moves of it wait to be looked up. */
  | {
      readonly kind: 'part-settled'
      readonly batchId: number
      readonly moved: number
      readonly failed: number
      readonly retried: number
      readonly open: number
    }
  /** All of the job is settled. The numbers are those of its last part. */
  | {
      readonly kind: 'job-settled'
      readonly batchId: number
      readonly moved: number
      readonly failed: number
      readonly retried: number
    }
  | { readonly kind: 'job-held'; readonly batchId: number; readonly why: string }
  /** The provider refused a batch for what its route names. The route is tried again once an hour. */
  | { readonly kind: 'route-held'; readonly routeId: number; readonly why: string }
  | {
      readonly kind: 'account-refused'
      readonly operation: string
      readonly code: string
      /** Time for which the operation is not called again, ms. */
      readonly pauseMs: number
    }
  | {
      readonly kind: 'published'
      readonly outcomes: Readonly<Record<OutcomeKind, number>>
      readonly lastId: bigint
    }
  | {
      readonly kind: 'retrying'
      readonly flow: string
      readonly why: string
      readonly delayMs: number
      /** False: the reason is the same as at the retry before. */
      readonly isNews: boolean
    }
  /** A flow that was retrying works again. */
  | { readonly kind: 'recovered'; readonly flow: string }
  | { readonly kind: 'database-restored'; readonly why: string }
  | { readonly kind: 'restore-accepted' }
  | { readonly kind: 'defect'; readonly flow: string; readonly error: unknown }

export type Observe = (event: FlowEvent) => void
