/**
 * What is durable, in PostgreSQL: requests, batches with their jobs, outcomes, and what is still to be published.
 *
 * Of all ports: every method returns a cold Observable. Nothing happens before it is subscribed, and subscribing again
 * does it again. (A promise could not be repeated, and would not run in virtual time.)
 */
import type { Observable } from 'rxjs'
import type { Fingerprint } from '../domain/fingerprint'
import type { BatchMove, Job } from '../domain/job'
import type { LookUp, UntoldJob } from '../domain/look-up'
import type { Outcome, Verdict } from '../domain/outcome'
import type { MoveRequest, Rejection } from '../domain/request'
import type { HoldChange } from '../domain/route'
import type { SearchStep } from '../domain/search'
import type { ForgottenJournal } from './forgotten-journal'
import type { Gap, StoredPosition } from './request-source'

/** One log of requests. */
export interface LogPartition {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
}

/** What consecutive records of one partition became: at most 20,000 moves, unless one record alone has more. */
export interface JournalChunk extends LogPartition {
  /** The life of the topic in which it was read. */
  readonly life: number
  /** The stored position that it continues from; null: there was none. */
  readonly continuesFrom: bigint | null
  /** The last offset of the chunk + 1. */
  readonly nextOffset: bigint
  /** Its last record. */
  readonly last: Fingerprint | null
  readonly requests: readonly MoveRequest[]
  readonly rejections: readonly Rejection[]
}

/** What was appended now. Records that had been appended before are skipped and not counted. */
export interface AppendReceipt {
  readonly moves: number
  readonly rejections: number
}

/** The side of intake. It needs no lease: every replica appends. */
export interface IntakeJournal {
  /**
   * Appends moves and rejections, and advances the partition's position, in one transaction. Records below the stored
   * position are skipped, so a chunk that is delivered again appends nothing.
   *
   * Throws `RestoredDatabaseError` when the stored position lies below the one that the chunk continues from, because the
   * journal has then lost what lay between. Throws `StoppedPartitionError` when the partition is stopped, or is read in
   * another life.
   */
  append(chunk: JournalChunk): Observable<AppendReceipt>
  /** Where it stands in each partition that it knows. */
  positions(
    clusterId: string,
    topic: string,
    partitions: readonly number[],
  ): Observable<ReadonlyMap<number, StoredPosition>>
  /**
   * Moves a position on past records that are gone, and counts those that were not taken in. Throws
   * `RestoredDatabaseError` when the stored position lies below the gap. Done again it changes nothing.
   */
  skip(log: LogPartition, gap: Gap): Observable<void>
  /** Stops the partition, with the first reason that was given, until an operator accepts the log that lies there. */
  stop(log: LogPartition, reason: string): Observable<void>
}

export type Claim = (
  | { readonly kind: 'job'; readonly job: Job }
  /** Nothing is ready. Something becomes ready by itself after `wakeInMs`; null: only when something changes. */
  | { readonly kind: 'idle'; readonly wakeInMs: number | null }
) & {
  /** Moves wait until the jobs are read that a restored database has forgotten (`ForgottenJournal`). */
  readonly forgotten?: true
}

export interface ResultFile {
  readonly body: Uint8Array
  readonly contentType: string | null
}

/**
 * The side of the driver, bound to one epoch of the lease. Every method checks the lease in its transaction, and throws
 * `LeaseLostError` when another process holds it. Every method is idempotent, so when the answer to a commit is lost
 * the method is simply called again.
 */
export interface DriveJournal extends ForgottenJournal {
  /**
   * Gives the next batch to work on:
   *
   * 1. An unfinished batch comes first: one that a predecessor left, that was split off, or that was claimed in a
   *    transaction whose answer was lost. Batches in `inHand`, held ones, and those whose devices are looked up are left
   *    out. Batches whose job may be open at the provider come before those that are yet to be created.
   * 2. Otherwise what is due for re-queueing is appended, and the next batch of the best ready route is claimed under
   *    the claim rules.
   * 3. Routes that look alike in List (`lookAlikeKey`) have one create at a time. While one of their batches has no
   *    answer to its create, none of them is claimed. Of several such batches, which a split leaves, only the first is
   *    given, and none while one is in hand.
   * 4. A held batch that was certainly not created keeps no other waiting, nor does a piece of a search (rule 6).
   * 5. A batch whose adopted job turned out to be another's waits until every later create of a look-alike is answered.
   * 6. A piece of a search that is yet to be created is given when no other work is ready, or with `mayTakePiece`. A
   *    route that only waits for the answer to a create counts as ready. Until a piece is given it stops nobody.
   * 7. Of a route that was refused, one batch is tried an hour after the latest refusal.
   * 8. A claim that took too long throws `TransientError`. Until its route has rested, others are claimed, and then
   *    fewer moves of it at once.
   * 9. After a restore was accepted nothing is sent before the provider's jobs are listed, and nothing of a route that
   *    looks like an open forgotten job. A move of which a forgotten job tells is settled with that, and not sent. A
   *    batch from before the restore whose route looks like a forgotten job is given back and claimed anew.
   */
  claim(inHand: readonly number[], mayTakePiece?: boolean): Observable<Claim>
  /** One job as it is stored. Throws when there is none. */
  load(batchId: number): Observable<Job>
  /**
   * claimed → creating. Stores the intent before the call leaves, and emits the job as stored. It completes without a
   * value when an operator has cancelled the batch: nothing of it may be sent.
   */
  creating(batchId: number): Observable<Job>
  /**
   * creating | unknown → running, without a last error: `stored`. With `clash` another batch has that JobId, so it is
   * not known what was created. The batch is then `unknown` and held, and is not sent again by itself.
   *
   * A route that was held as refused is released. The other half of a halved piece of a search, which must be the reason
   * for the refusal of the whole, is halved without being sent.
   */
  created(batchId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** Like `created`, for a job that was found in List. Until its result file names its devices it may be another's. */
  adopted(batchId: number, providerJobId: string): Observable<'stored' | 'clash'>
  /** creating → unknown. The create had no answer, and its job may exist. */
  unanswered(batchId: number, why: string): Observable<void>
  /** creating | unknown → claimed. The job certainly does not exist. `refused` counts it as a refusal of this batch. */
  notCreated(batchId: number, why: string, refused: boolean): Observable<void>
  /**
   * Keeps what is wrong with a running job (the provider denies it) or an ended one (its results cannot be had); null
   * clears it. A job of another status is left unchanged.
   */
  setLastError(batchId: number, why: string | null): Observable<void>
  /**
   * running → completed | interrupted: true. False, with nothing done, if an operator has resolved the job since it was
   * claimed.
   */
  markEnded(job: Pick<Job, 'batchId' | 'releases'>, as: 'completed' | 'interrupted'): Observable<boolean>
  /** Whether an operator has resolved the job since it was claimed. */
  isResolved(job: Pick<Job, 'batchId' | 'releases'>): Observable<boolean>
  /** completed | interrupted → unknown. The adopted job is another's and in `notOurs` from now on; its files go. */
  unadopted(batchId: number): Observable<void>
  /** creating | unknown | claimed → refused, and two new claimed batches of half its devices. Needs two devices. */
  split(batchId: number, why: string): Observable<void>
  /**
   * creating | unknown | claimed → refused, and other batches in its place: two pieces of half its devices, or each drawn
   * device of its search alone and the rest in pieces, or its whole search as one batch again, which is held. With
   * `set-aside` it is claimed again, and comes after all others of its search. Emits the number of the batch that is
   * held, else its own.
   */
  search(batchId: number, step: SearchStep, why: string): Observable<number>
  /**
   * creating | unknown → claimed. The route is held as refused until a batch of it is created, or is refused for its
   * devices. Its unsent batches wait with it, held. No attempt is spent. A hold of an operator stays.
   */
  holdRoute(batchId: number, why: string): Observable<void>
  /** Keeps the raw file, compressed, beside those read before. A file with the same content is kept once. */
  keepResultFile(batchId: number, file: ResultFile): Observable<void>
  /**
   * Holds one batch for people, with the reason. It does nothing to a batch that an operator has released since it was
   * claimed: the hold was stored before that, and only its answer was lost.
   */
  hold(job: Pick<Job, 'batchId' | 'releases'>, why: string): Observable<void>
  /**
   * completed | interrupted | creating | unknown → settled. One transaction stores the outcomes, re-queues what is to be
   * tried again, releases the moves that waited for those (beyond 20,000 the next claims release them), fills the
   * outbox, and clears the last error of an ended job. `verdicts` has every move of the batch, once.
   *
   * With `leave` it may have some of them: → looking-up. The others stay open and in flight until they are looked up.
   */
  settle(
    batchId: number,
    verdicts: readonly Verdict[],
    as: 'completed' | 'interrupted' | 'refused',
    leave?: Pick<UntoldJob, 'holdUntold'>,
  ): Observable<void>
  /** The oldest job that is looking-up and not held; null when there is none. */
  nextUntold(): Observable<UntoldJob | null>
  /**
   * Moves of a job that is looking-up: those of its first `devices` devices that are open and were not looked up yet, in
   * order; empty when there are none.
   */
  untoldMoves(batchId: number, devices: number): Observable<readonly BatchMove[]>
  /**
   * looking-up → settled once no move is open. Stores a part of the job: answers about single devices, and the outcomes
   * of open moves with all that `settle` does for them. Moves that have an outcome already are left as they are. Emits
   * how many moves are still open.
   */
  settleLookedUp(
    batchId: number,
    lookUps: readonly LookUp[],
    verdicts: readonly Verdict[],
  ): Observable<number>
  /** Adds to the number of calls that the batch has cost. */
  addCalls(batchId: number, calls: number): Observable<void>
  /** Those of the provider's job ids that are ours. */
  ownJobs(providerJobIds: readonly string[]): Observable<ReadonlySet<string>>
  /** Mean time from create to end of the newest 50 jobs, ms; null before the first. */
  meanJobMs(): Observable<number | null>
}

/** Whole rows of the outbox, in order. */
export interface OutboxChunk {
  /** Id of the last row, which is the position to remember. */
  readonly lastId: bigint
  readonly outcomes: readonly Outcome[]
}

export interface OutboxLimits {
  readonly outcomes: number
  /** An estimate of what they take in memory, dead letters included. */
  readonly bytes: number
}

export interface Outbox {
  /**
   * The next chunk after `position`: as many rows as stay within `most`, and at least one, however large; null when
   * there is none yet.
   */
  next(position: bigint, most: OutboxLimits): Observable<OutboxChunk | null>
  /** The position kept here for `publisher`, and the id of the newest row ever written. */
  position(publisher: string): Observable<{ readonly published: bigint; readonly end: bigint }>
  /** Remembers the position, and deletes the rows up to it. */
  published(publisher: string, position: bigint): Observable<void>
}

/** Emits when moves may be ready to claim or outcomes to publish. It may emit without reason, and never completes. */
export type Changes = Observable<void>

/**
 * What operators decide about single routes. Each method emits the route as it is then, or null when there is none, and
 * changes nothing when it is done again.
 */
export interface RouteControl {
  /**
   * Nobody claims a batch of the route once this has emitted. A new reason replaces the old one; null keeps that of an
   * operator. Any other kind of hold becomes an operator's.
   */
  hold(routeId: number, reason: string | null): Observable<HoldChange | null>
  /** Drivers look at the route again at once. */
  release(routeId: number): Observable<HoldChange | null>
}
