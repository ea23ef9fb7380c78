/** The results of a job: what a device's code means, how files add up, and whether to ask again, settle or hold. */
import { type BackoffPolicy, retryDelayMs } from './retry-policy'

/** What a row of a result file says of one device. */
export interface DeviceResult {
  readonly code: string
  readonly message: string | null
}

/** What a device's code means for its move. A code that is in no table is `unknown`, and never taken for permanent. */
export type CodeClass = 'moved' | 'permanent' | 'retryable' | 'unknown'

/**
 * The codes that a row may carry, in lower case because the casing of the documentation varies. The provider documents
 * only 200 for rows (page of QueryDeviceDistributeDetail, help.aliyun.com/document_detail/199533.html). The others are
 * documented for calls, in the general table of codes (document 87387), and are listed here because a row may repeat
 * them. A move with a code that is not listed is tried again up to the attempt limit.
 */
const classes: ReadonlyMap<string, CodeClass> = new Map<string, CodeClass>([
  ['200', 'moved'], // 199533: "If the value of the Code parameter is 200, the device is distributed."

  ['iot.device.notexisteddevice', 'permanent'], // 87387: the device does not exist
  ['iot.device.invalidformatteddevicename', 'permanent'], // 87387: the name breaks the naming rule
  ['iot.device.nulldevicename', 'permanent'], // 87387: no name given
  ['iot.common.authactionpermissiondeny', 'permanent'], // 87387: the device does not belong to this account
  ['iot.prod.notexistedproduct', 'permanent'], // 87387: the product does not exist
  ['iot.system.instancenotfound', 'permanent'], // 87387: no such instance
  ['iot.sre.iotinstancenotfound', 'permanent'], // 87387: no such instance
  ['iot.system.instanceidsame', 'permanent'], // alibabacloud.com/help/doc-detail/87387.htm: source is target

  ['iot.system.systemexception', 'retryable'], // 87387: "try again later"
  ['serviceunavailable', 'retryable'], // alibabacloud.com/help/zh/doc-detail/26314.htm: temporary failure
  ['internalerror', 'retryable'], // the same page: retry advised
  ['throttling', 'retryable'], // help.aliyun.com/document_detail/51132.html
  ['throttling.user', 'retryable'], // the same family
])

/** The class of a device's code. Its case and spaces around it are ignored. */
export const classifyDeviceCode = (code: string): CodeClass =>
  classes.get(code.trim().toLowerCase()) ?? 'unknown'

type Rows = ReadonlyMap<string, DeviceResult>

/**
 * Joins the rows of two result files of one job. The newer row of a device counts, except that a device which either
 * file reports as moved has moved and is never sent again.
 */
export const mergeRows = (older: Rows, newer: Rows): Rows => {
  const merged = new Map(older)
  for (const [name, row] of newer) {
    const known = older.get(name)
    if (known === undefined || classifyDeviceCode(known.code) !== 'moved') merged.set(name, row)
  }
  return merged
}

/** What one try to get a job's results came to. */
export type ResultsAnswer =
  /** A file was read and names devices of the job. */
  | 'rows'
  /** The provider says that there is no file. */
  | 'none'
  /** The provider refuses the call with another code. */
  | 'refused'
  /** A file was read and names other devices only. */
  | 'wrong-devices'
  /** A file was read and has no row. */
  | 'empty'
  /** A file was fetched and cannot be read. */
  | 'unreadable'
  /** No answer, throttled, not permitted at present, a link that had expired, or a store that cannot be reached. */
  | 'unavailable'

/** What is known of a job's results by now. */
export interface ResultsSoFar {
  /** The JobId was found in List, so the job may be somebody else's until a file names devices of the batch. */
  readonly isFound: boolean
  readonly ended: 'completed' | 'interrupted'
  /** All answers so far, at least one, the latest last. */
  readonly answers: readonly ResultsAnswer[]
  /** Number of devices of the job that have a row in any file so far. */
  readonly reported: number
  /** Number of devices of the job that have no row so far. */
  readonly missing: number
}

export type AskDecision =
  | { readonly kind: 'settle' }
  | { readonly kind: 'again'; readonly afterMs: number }
  /** The job belongs to somebody else. */
  | { readonly kind: 'not-ours' }
  /** A human has to look, because every rule could lose a move or send one twice. */
  | { readonly kind: 'hold' }

/** Pause before a second file is asked for, ms. A file takes a moment to be written, and may be incomplete at first. */
const freshFileMs = 5_000
/** Files, or answers that there is no file, after which no further one is asked for. */
const maxFiles = 2
/** There is no limit to these tries. Their calls take precedence over the polls, so the pause grows to 5 minutes. */
const unavailable: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 300_000 }
/** Doubtful answers after which no further try is made. */
const maxDoubtful = 5
/** 5, 10, 20 and 40 s, less the random part, between the tries that `maxDoubtful` allows. */
const doubtfulPauses: BackoffPolicy = { backoffMs: 5_000, backoffMaxMs: 60_000 }

type Answers = Readonly<Record<ResultsSoFar['ended'], readonly ResultsAnswer[]>>

/** Answers which say that the job has reported on no device. An empty file is no such answer of a completed job. */
const nothing: Answers = { completed: ['none'], interrupted: ['none', 'empty'] }
/** Answers that prove nothing. */
const doubtful: Answers = {
  completed: ['refused', 'wrong-devices', 'unreadable', 'empty'],
  interrupted: ['refused', 'wrong-devices', 'unreadable'],
}

const count = (answers: readonly ResultsAnswer[], ...kinds: readonly ResultsAnswer[]): number =>
  answers.filter(answer => kinds.includes(answer)).length

/** How many of the latest answers in a row are `unavailable`. */
const unavailableInARow = (answers: readonly ResultsAnswer[]): number =>
  answers.length - 1 - answers.findLastIndex(answer => answer !== 'unavailable')

/**
 * Decides what to do after the latest answer. `random` is 0 up to 1.
 *
 * - A completed job is asked once more for devices without a row.
 * - The file of an interrupted job is taken as it is. It may be missing or have no row.
 * - An answer that is in no table never counts as "there is no file". After `maxDoubtful` tries the job is held, unless
 *   a file has reported on some of its devices.
 * - A job that was found in List is somebody else's if the files that could be read name other devices only. A job
 *   whose create answered with its JobId is ours whatever the files say.
 */
export const decideOnResults = (so: ResultsSoFar, random: number): AskDecision => {
  const latest = so.answers.at(-1)
  const again = (afterMs: number): AskDecision => ({ kind: 'again', afterMs })
  const isOthers = so.isFound && so.reported === 0 && so.answers.includes('wrong-devices')
  const decided = (kind: 'settle' | 'hold'): AskDecision => ({ kind: isOthers ? 'not-ours' : kind })
  const settle = decided('settle')
  if (so.missing === 0) return settle
  if (latest === undefined || latest === 'unavailable')
    return again(retryDelayMs(unavailableInARow(so.answers), random, unavailable))
  if (latest === 'rows') {
    if (so.ended === 'interrupted') return settle
    return count(so.answers, 'rows') < maxFiles ? again(freshFileMs) : settle
  }
  if (nothing[so.ended].includes(latest)) {
    if (count(so.answers, ...nothing[so.ended]) < maxFiles) return again(freshFileMs)
    return decided(so.ended === 'interrupted' || so.reported > 0 ? 'settle' : 'hold')
  }
  const tries = count(so.answers, ...doubtful[so.ended])
  if (tries < maxDoubtful) return again(retryDelayMs(tries, random, doubtfulPauses))
  return decided(so.reported > 0 ? 'settle' : 'hold')
}
