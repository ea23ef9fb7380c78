/**
 * The line of jobs whose devices are looked up: one job after the other, the oldest first. No device is sent again before
 * it is known where it is, since a device that has moved must not move a second time.
 *
 * The line lies in the journal, so nothing of it has to be remembered across a restart. It needs no slot. Of a job only
 * the devices that are being asked about are in memory. What is told is settled a part at a time, so that a device waits
 * for its own answer and not for those of its whole job.
 */
import {
  bufferTime,
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  ignoreElements,
  map,
  type Observable,
  repeat,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import { classifyDeviceCode } from '../domain/device-results'
import type { Observe } from '../domain/flow-event'
import type { BatchMove } from '../domain/job'
import { type Fate, fatesOf, type LookUp, type UntoldJob } from '../domain/look-up'
import { type AttemptPolicy, countsOf, deriveVerdicts } from '../domain/settlement'
import { waitUntil } from '../operators/wait-until'
import type { DriveJournal } from '../ports/journal'
import { createHoldHopeless, createHoldJob } from './hold-job'
import { createLookUpDevices, createPatience, type LookUpDevicesDeps, type Patience } from './look-up-devices'

/** Devices of a job that are read together. */
const pageDevices = 100
/**
 * What is told is settled after this time, ms, or with this many answers. A crash forgets no more of them. Smaller parts
 * would send the devices that have not moved again in smaller jobs.
 */
const partMs = 25_000
const partDevices = 50
/** An empty line is looked at this often, ms, since an operator may have released a job of it. */
const lookAgainMs = 30_000

export interface LookUpLineDeps extends LookUpDevicesDeps {
  readonly journal: DriveJournal
  readonly observe: Observe
  readonly policy: AttemptPolicy
  /** Emits when a job has come into the line. */
  readonly wake$: Observable<unknown>
}

const countOf = (fates: ReadonlyMap<string, Fate>, fate: Fate): number =>
  [...fates.values()].filter(each => each === fate).length

/**
 * Waits for the oldest job of the line and takes it to its end: every device is looked up, and the job is settled or, if
 * people have to decide about the rest, held. Completes early when stopped.
 */
export const createLookUpLine = (deps: LookUpLineDeps): Observable<never> => {
  const { journal, observe, random, policy, wake$, stop$ } = deps
  const lookUpDevices = createLookUpDevices(deps)
  const hold = createHoldJob(deps)
  const heldIfHopeless = createHoldHopeless(deps)

  /** Settles moves by what was answered of their devices. A device without an answer, or with a useless one, is untold. */
  const settlePart = (
    job: UntoldJob,
    moves: readonly BatchMove[],
    lookUps: readonly LookUp[],
  ): Observable<never> =>
    defer(() => {
      const { batchId, ended, holdUntold } = job
      const fates = fatesOf(lookUps, job)
      const isTold = ({ deviceName }: BatchMove): boolean =>
        (fates.get(deviceName) ?? 'cannot-tell') !== 'cannot-tell'
      const { verdicts } = deriveVerdicts({
        moves: holdUntold === null ? moves : moves.filter(isTold),
        rows: new Map(),
        fates,
        ended,
        policy,
        classify: classifyDeviceCode,
        random,
      })
      const devices = new Set(moves.map(({ deviceName }) => deviceName)).size
      const [moved, elsewhere] = [countOf(fates, 'moved'), countOf(fates, 'elsewhere')]
      return journal.settleLookedUp(batchId, lookUps, verdicts).pipe(
        tap(open => {
          observe({
            kind: 'devices-looked-up',
            batchId,
            moved,
            elsewhere,
            untold: devices - moved - elsewhere,
          })
          if (open > 0) observe({ kind: 'part-settled', batchId, open, ...countsOf(verdicts) })
          else observe({ kind: 'job-settled', batchId, ...countsOf(verdicts) })
        }),
        ignoreElements(),
      )
    })

  const askAbout = (job: UntoldJob, moves: readonly BatchMove[], patience: Patience): Observable<never> => {
    const names = [...new Set(moves.map(({ deviceName }) => deviceName))]
    return lookUpDevices(job, names, patience).pipe(
      bufferTime(partMs, null, partDevices),
      filter(lookUps => lookUps.length > 0),
      concatMap(lookUps => {
        const told = new Set(lookUps.map(({ deviceName }) => deviceName))
        return settlePart(
          job,
          moves.filter(({ deviceName }) => told.has(deviceName)),
          lookUps,
        )
      }),
    )
  }

  /** Holds the job if devices are left that looking up did not tell of, or could not be looked up. */
  const conclude = (job: UntoldJob): Observable<never> =>
    journal.settleLookedUp(job.batchId, [], []).pipe(
      concatMap(open =>
        open === 0
          ? EMPTY
          : hold(
              job,
              `${job.holdUntold ?? 'look-ups are refused or not answered'}, and ${open} move${open === 1 ? ' stays' : 's stay'} untold`,
            ),
      ),
      ignoreElements(),
    )

  const lookUpAll = (job: UntoldJob): Observable<never> =>
    defer(() => {
      const patience = createPatience()
      const mayBeSentAgain = job.ended === 'interrupted'
      let isOver = false
      const part = defer(() => journal.untoldMoves(job.batchId, pageDevices)).pipe(
        concatMap(moves => {
          // What may have moved is not sent again without a look. After a completed job nothing is sent again.
          isOver = moves.length === 0 || (patience.isLost() && (mayBeSentAgain || job.holdUntold !== null))
          if (isOver) return EMPTY
          return patience.isLost() ? settlePart(job, moves, []) : askAbout(job, moves, patience)
        }),
        // It completes where the delay does: at the end of the job, and when stopped.
        repeat({ delay: () => (isOver ? EMPTY : timer(0).pipe(takeUntil(stop$))) }),
      )
      return concat(
        part,
        defer(() => (isOver ? conclude(job) : EMPTY)),
      )
    })

  const next = defer(() => journal.nextUntold()).pipe(
    map(job =>
      job === null ? ({ kind: 'idle', wakeInMs: lookAgainMs } as const) : ({ kind: 'job', job } as const),
    ),
  )
  return waitUntil(next, wake$).pipe(
    takeUntil(stop$),
    concatMap(({ job }) => lookUpAll(job).pipe(heldIfHopeless(job))),
  )
}
