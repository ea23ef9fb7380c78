import type { Observable } from 'rxjs'
import type { Job } from '../domain/job'
import type { LookUp } from '../domain/look-up'
import type { Outcome, Verdict } from '../domain/outcome'
import type { MoveRequest, Rejection } from '../domain/request'
import type { HoldChange } from '../domain/route'

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
  creating(batchId: number): Observable<Job>
  /**
   * creating | unknown → running, without a last error: `stored`. `clash`: another job has that JobId, so nobody knows what was created. The
   * job is then `unknown` and held, and is never sent again by itself.
   */
  created(batchId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** As `created`, of a job that List shows: until its result file tells of its devices, it may be another's. */
  adopted(batchId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** creating → unknown: no answer, the job may exist. */
  unanswered(batchId: number, why: string): Observable<void>
  /** creating | unknown → claimed: certainly not created. `refused`: count it as a refusal of this batch. */
  notCreated(batchId: number, why: string, refused: boolean): Observable<void>
  /**
   * What is wrong with a running job (the provider denies it) or an ended one (its results cannot be had), kept as its last
   * error; null: nothing any longer. Changes nothing in a job of another status.
   */
  setLastError(batchId: number, why: string | null): Observable<void>
  /** running → completed | interrupted. */
  markEnded(batchId: number, as: 'completed' | 'interrupted'): Observable<void>
  /**
   * completed | interrupted → unknown: the job it had adopted is another's (`notOurs` from now on). What was kept of that
   * one is dropped.
   */
  unadopted(batchId: number): Observable<void>
  /** creating | unknown | claimed → refused, then halves it: two claimed jobs. Only with two devices or more. */
  split(batchId: number, why: string): Observable<void>
  /** Keeps the raw file with its job, compressed, beside those read before; the same content once. */
  keepResultFile(batchId: number, file: ResultFile): Observable<void>
  /** Keeps what was answered about single devices with their job, in place of earlier answers. */
  keepLookUps(batchId: number, lookUps: readonly LookUp[]): Observable<void>
  /** What is kept so; empty when nothing is. */
  keptLookUps(batchId: number): Observable<readonly LookUp[]>
  /**
   * Stops one job for a human, with the reason; the others go on. Does nothing to a job that an operator has let go
   * since it was claimed: then it was held before, and only the answer was lost.
   */
  hold(job: Pick<Job, 'batchId' | 'releases'>, why: string): Observable<void>
  /**
   * completed | interrupted | creating | unknown → settled, in one transaction: outcomes, re-queues, released waiters, outbox.
   * `verdicts` covers every move of the job, once. With its results the last error of an ended job is over.
   */
  settle(
    batchId: number,
    verdicts: readonly Verdict[],
    as: 'completed' | 'interrupted' | 'refused',
  ): Observable<void>
  /** Counts calls spent on a job. */
  addCalls(batchId: number, calls: number): Observable<void>
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
