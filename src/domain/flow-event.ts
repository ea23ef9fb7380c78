import type { OutcomeKind } from './outcome'

export type FlowName = 'intake' | 'drive' | 'publish'

/** What the flows report. Telemetry turns it into log lines and metrics; no decision depends on it. */
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
  /** No call has succeeded since `since` (ISO 8601). Told again when it is for another reason. */
  | {
      readonly kind: 'provider-unreachable' | 'provider-throttles'
      readonly since: string
      readonly operation: string
      readonly code: string
    }
  /** A call has been answered, after one of those. */
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
    }
  | { readonly kind: 'create-unanswered'; readonly batchId: number; readonly why: string }
  | { readonly kind: 'create-reconciled'; readonly batchId: number; readonly as: 'adopted' | 'absent' }
  /** The listed job that was adopted is another's: its result file tells of other devices only. */
  | { readonly kind: 'job-unadopted'; readonly batchId: number; readonly providerJobId: string }
  | {
      readonly kind: 'job-created'
      readonly batchId: number
      readonly providerJobId: string
      readonly devices: number
    }
  /** The provider does not know a job that is taken to run there; told at the first time. */
  | {
      readonly kind: 'job-denied'
      readonly batchId: number
      readonly providerJobId: string
      readonly why: string
    }
  /** It knows it again. */
  | { readonly kind: 'job-known-again'; readonly batchId: number; readonly providerJobId: string }
  | {
      readonly kind: 'job-ended'
      readonly batchId: number
      readonly as: 'completed' | 'interrupted'
      readonly tookMs: number
    }
  | { readonly kind: 'result-file-problem'; readonly batchId: number; readonly problem: string }
  /** Devices that the job's file does not tell of; `untold` ones were not looked up or cannot be told. */
  | {
      readonly kind: 'devices-looked-up'
      readonly batchId: number
      readonly moved: number
      readonly elsewhere: number
      readonly untold: number
    }
  | {
      readonly kind: 'job-settled'
      readonly batchId: number
      readonly moved: number
      readonly failed: number
      readonly retried: number
    }
  | { readonly kind: 'job-held'; readonly batchId: number; readonly why: string }
  | {
      readonly kind: 'account-refused'
      readonly operation: string
      readonly code: string
      /** The operation is not called again before, ms. */
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
      /** False: for the same reason as the time before. */
      readonly isNews: boolean
    }
  /** What had been retried works again. */
  | { readonly kind: 'recovered'; readonly flow: string }
  | { readonly kind: 'database-restored'; readonly why: string }
  | { readonly kind: 'restore-accepted' }
  | { readonly kind: 'defect'; readonly flow: string; readonly error: unknown }

export type Observe = (event: FlowEvent) => void
