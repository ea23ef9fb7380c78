/**
 * The things outside, as the flows see them. Every method returns a cold Observable: nothing happens before
 * it is subscribed, and subscribing again does it again (promises are not virtual, and cannot be repeated).
 * Expected failures are values; what is thrown is either transient (`TransientError`: the same call may work
 * later), `LeaseLostError`, or a defect.
 */
import type { Observable } from 'rxjs'
import type { Job } from './domain/job'
import type { LookUp, Whereabouts } from './domain/look-up'
import type { Outcome, Verdict } from './domain/outcome'
import type { ListedLike } from './domain/reconcile'
import type { RefusalKind } from './domain/refusal'
import type { MoveRequest, Rejection, SourcePosition } from './domain/request'
import type { RouteFields } from './domain/route'
import type { HoldChange } from './domain/route-hold'
import type { DeviceResult } from './domain/settlement'

/** Out of reach, busy or restarting: worth doing again after a pause. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  /** Failures with the same code are one problem, however their texts differ; null: the text is all there is. */
  readonly code: string | null

  constructor(message: string, { code = null, ...options }: { cause?: unknown; code?: string | null } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Another process drives this account now: stop every call and every write at once. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

// ── RequestSource ─────────────────────────────────────────────────────────────────────────────────────────────

/** One record as it was read, nothing interpreted. */
export interface SourceRecord {
  readonly position: SourcePosition
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Header names in lower case; of a repeated header the first. */
  readonly headers: Readonly<Record<string, Uint8Array>>
  /** When the record was made, ms since 1970. */
  readonly timestampMs: number
}

/**
 * Consecutive records of one partition. The source offers no further chunk of that partition before `done` or
 * `fail` is called, exactly once: that is the back-pressure. `done`: all of it is durable, commit it. `fail`: none
 * of it is to be committed; it will be offered again.
 */
export interface SourceChunk {
  readonly topic: string
  readonly partition: number
  /** At least one, by rising offset (gaps are normal). */
  readonly records: readonly SourceRecord[]
  done(): void
  fail(reason: unknown): void
}

export interface SourceHealth {
  readonly state: 'starting' | 'assigned' | 'standing-by' | 'failed'
  /** For people; null when all is well. */
  readonly reason: string | null
}

export interface RequestSource {
  /** Names the log that positions belong to (a Kafka cluster's id). Waits until it is known. */
  clusterId(): Observable<string>
  /**
   * Every partition this process owns, as chunks. Never completes for Kafka; completes at the end of a file.
   * `positions` gives where to read on (the journal's word counts, not the broker's committed offset); a position
   * beyond the partition's end stops that partition and says so in `health$`.
   * Survives by itself what waiting can cure. Unsubscribing stops it: chunks under way are failed, none is lost.
   */
  chunks(
    positions: (topic: string, partitions: readonly number[]) => Observable<ReadonlyMap<number, bigint>>,
  ): Observable<SourceChunk>
  readonly health$: Observable<SourceHealth>
}

// ── Journal ───────────────────────────────────────────────────────────────────────────────────────────────────

/** What one chunk of a partition became: consecutive records, at most 20,000 moves unless one record has more. */
export interface JournalChunk {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
  /** Last offset of the chunk + 1. */
  readonly nextOffset: bigint
  readonly requests: readonly MoveRequest[]
  readonly rejections: readonly Rejection[]
}

export interface AppendReceipt {
  /** Moves appended now; what had been consumed before is skipped and not counted. */
  readonly moves: number
  readonly rejections: number
}

/** Intake's side. Needs no lease: every replica appends. */
export interface IntakeJournal {
  /**
   * Appends moves and rejections and advances the partition's position in one transaction. Idempotent: records
   * below the stored position are skipped, so redelivery appends nothing.
   */
  append(chunk: JournalChunk): Observable<AppendReceipt>
  /** Next offset to read of each partition that has one. */
  positions(
    clusterId: string,
    topic: string,
    partitions: readonly number[],
  ): Observable<ReadonlyMap<number, bigint>>
}

export type Claim =
  | { readonly kind: 'job'; readonly job: Job }
  /** Nothing is ready. Something will be by itself after `wakeInMs`; null: not without new moves. */
  | { readonly kind: 'idle'; readonly wakeInMs: number | null }

export interface ResultFile {
  readonly body: Uint8Array
  readonly contentType: string | null
}

/**
 * The driver's side: bound to one epoch of the lease. Every method checks the lease in its transaction and throws
 * `LeaseLostError` when it is another's. Each is idempotent: done twice is done once, so a lost commit answer is
 * cured by doing it again.
 */
export interface DriveJournal {
  /**
   * First an unfinished job that is not in `inHand` and not held (left by a predecessor, split off, or claimed in a
   * transaction whose answer was lost), those that may be open at the provider before those yet to be created. Else appends what is due for re-queueing and claims the best ready route's
   * next batch under the claim rules. One create at a time of routes that look alike (`lookAlikeKey`): with a job
   * before its create's answer none of them is claimed, and of several such jobs (left by a split) only the first is
   * given, and none while one is in hand. A held one that was certainly not created stops nobody. One whose adopted job
   * was another's waits until every later create of a look-alike is answered.
   */
  claim(inHand: readonly number[]): Observable<Claim>
  /**
   * claimed → creating: the intent, before the call leaves. Emits the job as stored. Look-ups kept before are dropped:
   * they tell nothing of what this create does.
   */
  creating(jobId: number): Observable<Job>
  /**
   * creating | unknown → running, without a last error: `stored`. `clash`: another job has that JobId, so nobody knows what was created. The
   * job is then `unknown` and held, and is never sent again by itself.
   */
  created(jobId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** As `created`, of a job that List shows: until its result file tells of its devices, it may be another's. */
  adopted(jobId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** creating → unknown: no answer, the job may exist. */
  unanswered(jobId: number, why: string): Observable<void>
  /** creating | unknown → claimed: certainly not created. `refused`: count it as a refusal of this batch. */
  notCreated(jobId: number, why: string, refused: boolean): Observable<void>
  /**
   * What is wrong with a running job (the provider denies it) or an ended one (its results cannot be had), kept as its last
   * error; null: nothing any longer. Changes nothing in a job of another status.
   */
  troubled(jobId: number, why: string | null): Observable<void>
  /** running → completed | interrupted. */
  ended(jobId: number, as: 'completed' | 'interrupted'): Observable<void>
  /**
   * completed | interrupted → unknown: the job it had adopted is another's (`notOurs` from now on). What was kept of that
   * one is dropped.
   */
  disowned(jobId: number): Observable<void>
  /** creating | unknown | claimed → refused, then halves it: two claimed jobs. Only with two devices or more. */
  split(jobId: number, why: string): Observable<void>
  /** Keeps the raw file with its job, compressed, beside those read before; the same content once. */
  keepResultFile(jobId: number, file: ResultFile): Observable<void>
  /** Keeps what was answered about single devices with their job, in place of earlier answers. */
  keepLookUps(jobId: number, lookUps: readonly LookUp[]): Observable<void>
  /** What is kept so; empty when nothing is. */
  keptLookUps(jobId: number): Observable<readonly LookUp[]>
  /**
   * Stops one job for a human, with the reason; the others go on. Does nothing to a job that an operator has let go
   * since it was claimed: then it was held before, and only the answer was lost.
   */
  hold(job: Pick<Job, 'jobId' | 'releases'>, why: string): Observable<void>
  /**
   * completed | interrupted | creating | unknown → settled, in one transaction: outcomes, re-queues, released waiters, outbox.
   * `verdicts` covers every move of the job, once. With its results the last error of an ended job is over.
   */
  settle(
    jobId: number,
    verdicts: readonly Verdict[],
    as: 'completed' | 'interrupted' | 'refused',
  ): Observable<void>
  /** Counts calls spent on a job. */
  spent(jobId: number, calls: number): Observable<void>
  /** Which of the provider's job ids are ours. */
  ownJobs(providerJobIds: readonly string[]): Observable<ReadonlySet<string>>
  /** Mean time from create to end of the newest 50 jobs, ms; null before the first. */
  meanJobMs(): Observable<number | null>
}

/** A piece of the outbox, never part of one row. */
export interface OutboxChunk {
  /** Id of its last row: the position to remember. */
  readonly lastId: bigint
  readonly outcomes: readonly Outcome[]
}

export interface OutboxLimits {
  readonly outcomes: number
  /** About what they take in memory, dead letters included. */
  readonly bytes: number
}

export interface Outbox {
  /**
   * The next chunk after `position`: as many rows as stay within `most`, and one at least, however large; null when
   * there is none yet.
   */
  next(position: bigint, most: OutboxLimits): Observable<OutboxChunk | null>
  /** Position kept here for `publisher`, and the id of the newest row ever written. */
  position(publisher: string): Observable<{ readonly published: bigint; readonly end: bigint }>
  /** Remembers the position and deletes the rows up to it. */
  published(publisher: string, position: bigint): Observable<void>
}

/** Emits when moves may be ready to claim or outcomes to publish. May be spurious, never completes. */
export type Changes = Observable<void>

// ── JobApi ────────────────────────────────────────────────────────────────────────────────────────────────────

export type Operation = 'create' | 'detail' | 'query' | 'list' | 'provisioning'

/**
 * `throttled`, `slots-full`: rejected before it ran, certainly; send again later.
 * `not-sent`: never reached the provider, certainly.
 * `unanswered`: may have run (for reads: just do it again).
 * `batch-refused`: permanent for this batch. `account-refused`: permanent for the whole account.
 * `unknown`: a code no table knows: neither permanent nor harmless.
 */
export type FailureKind = RefusalKind | 'unanswered'

export interface CallFailure {
  readonly ok: false
  readonly kind: FailureKind
  readonly code: string
  /** Without credentials, signatures or URLs that hold them. */
  readonly message: string
}

export type CallResult<T> = { readonly ok: true; readonly value: T } | CallFailure

/** 0 initialising, 1 running, 2 completed, 3 interrupted. */
export type ProviderStatus = 0 | 1 | 2 | 3

/** A job as List and Query show it: whose it is stands nowhere. `targetInstanceIds` is sorted. */
export interface ListedJob extends ListedLike {
  readonly status: ProviderStatus
}

export interface ListPage {
  readonly jobs: readonly ListedJob[]
  readonly nextToken: string | null
  readonly total: number
}

export interface ListQuery {
  readonly productKey?: string
  readonly nextToken?: string
}

/** What the file says of one device. */
export type ResultRow = DeviceResult

export type FetchedResults =
  | { readonly kind: 'rows'; readonly rows: ReadonlyMap<string, ResultRow>; readonly file: ResultFile }
  /** The signed URL is no longer valid: ask detail again. */
  | { readonly kind: 'expired' }
  /** Worth fetching again: the connection broke, 5xx. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** A result file of other devices than those sent. */
  | { readonly kind: 'strangers'; readonly file: ResultFile }
  /** A result file without a single row. */
  | { readonly kind: 'empty'; readonly file: ResultFile }
  /** There, but no result file we can read (HTML, truncated, too large, host not allowed). */
  | { readonly kind: 'unreadable'; readonly message: string; readonly file: ResultFile | null }

/**
 * The provider. Limits are not its business: the pipeline wraps each call. Completes after one value. Unsubscribing
 * takes a call back as long as it has not left; whether it had, nobody can tell then.
 */
export interface JobApi {
  create(
    route: RouteFields,
    deviceNames: readonly string[],
  ): Observable<CallResult<{ readonly providerJobId: string }>>
  /** One page of up to 200. */
  list(query: ListQuery): Observable<CallResult<ListPage>>
  query(providerJobId: string): Observable<CallResult<ListedJob>>
  /** A freshly signed URL of the job's result file, valid for 10 minutes; null: the answer names no file. */
  detail(providerJobId: string): Observable<CallResult<{ readonly url: string | null }>>
  /** Where one device is. */
  provisioning(productKey: string, deviceName: string): Observable<CallResult<Whereabouts>>
  /** Not a call against the quota: the file lies in object storage. `sent`: the names of the batch, to match rows by. */
  fetchResults(url: string, sent: readonly string[]): Observable<FetchedResults>
}

// ── OutcomeSink ───────────────────────────────────────────────────────────────────────────────────────────────

export interface SinkSession {
  /** Where an earlier session left off, by the sink's own memory; null when it has none. */
  readonly position: bigint | null
  /** Results, dead letters and the position, all or nothing. Any error ends the session: open another. */
  publish(chunk: OutboxChunk): Observable<void>
}

export interface OutcomeSink {
  /**
   * Opens the one writing session and fences any older one. Emits once and stays open until unsubscribed.
   * Throws `TransientError` for what another session may cure.
   */
  open(): Observable<SinkSession>
  /** Where the last session left off, asked without opening one; null when the sink remembers none. */
  position(): Observable<bigint | null>
}

// ── Lease ─────────────────────────────────────────────────────────────────────────────────────────────────────

export type LeaseState =
  /** `mayCall`: whether the lease surely stands at this moment. Asked last, right before a call has left. */
  | { readonly kind: 'held'; readonly epoch: bigint; readonly mayCall: () => boolean }
  | { readonly kind: 'standing-by'; readonly holder: string | null }

export interface Lease {
  /**
   * Tries for as long as it is subscribed; emits at every change of hands. `held` is emitted only once one quota
   * window has passed since it was acquired. Unsubscribing releases it when `idle()` says that no call is under way.
   */
  hold(idle: () => boolean): Observable<LeaseState>
}

// ── RouteControl ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * What operators say about single routes. Each emits the route as it is then, or null when there is none, and changes
 * nothing when done again.
 */
export interface RouteControl {
  /**
   * Once it has emitted, nobody claims a batch of the route. A reason given again replaces the one before; null leaves it as
   * it is.
   */
  hold(routeId: number, reason: string | null): Observable<HoldChange | null>
  /** Drivers look at the route again at once. */
  release(routeId: number): Observable<HoldChange | null>
}
