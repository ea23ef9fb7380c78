/**
 * How the provider behaves: which jobs it lets in, what a job does to its devices when its time has come, what its result
 * file says, and where a device is. Both simulated providers run on it: the one that speaks HTTP in real time, and the
 * one that the tests run in virtual time. Time comes in as an argument, and ends of jobs by the timeline.
 */
import { createDeviceTruth, type DeviceTruth } from './device-truth'
import {
  type BookedJob,
  createJobBook,
  type EndStatus,
  type JobBook,
  type JobLimit,
  type JobOrder,
  type JobTimes,
  type ListOrder,
  type Timeline,
} from './job-book'
import type { FileRow } from './result-file'

/** How a job ends, decided when its time has come. */
export interface JobEnding {
  readonly endsAs: EndStatus
  /** Share of the devices dealt with, 0 to 1; the others stay where they are and have no row. */
  readonly doneShare: number
  readonly hasFile: boolean
  /** The file can be read. */
  readonly isReadable: boolean
}

/** What a job has done to one device. */
export interface DeviceDealt {
  readonly hasMoved: boolean
  /** Its row in the result file; null: it has none. */
  readonly row: { readonly code: string; readonly message: string | null } | null
}

export interface DeviceAtHand {
  readonly name: string
  /** Instance it is at. */
  readonly instanceId: string
  /** Times a job has dealt with it, this one included. */
  readonly attempt: number
}

/** What one simulated provider decides in its own way: by its seed and options, or by what a test asks for. */
export interface ProviderChoices<Fate extends JobTimes> {
  readonly limit: JobLimit
  /** Default: newest first. */
  readonly listOrder?: ListOrder
  readonly jobIdOf: (number: number, foreign: boolean) => string
  readonly endOf: (job: BookedJob<Fate>) => JobEnding
  readonly deal: (job: BookedJob<Fate>, device: DeviceAtHand) => DeviceDealt
  /** Where a device goes that the job moves. */
  readonly targetOf: (job: BookedJob<Fate>, deviceName: string) => string
  /** Asked when a job has ended: true removes it, so that no call knows it any longer. Default: never. */
  readonly isForgotten?: (job: BookedJob<Fate>) => boolean
}

/** Where one device is and how it came there; without a move, where it was first said to be. */
export interface DeviceAddress {
  readonly instanceId: string
  readonly cameFrom: string
  /** Creation and end of the job that brought it there, ms since 1970; without a move, now. */
  readonly sentAt: number
  readonly changedAt: number
}

export interface ProviderRules<Fate extends JobTimes> {
  readonly book: JobBook<Fate>
  readonly truth: DeviceTruth
  /** A job with devices; null: the job limit is reached. */
  openJob(order: JobOrder, deviceNames: readonly string[], at: number, fate: Fate): BookedJob<Fate> | null
  /** A job of somebody else in the same account; it moves nothing we know of. */
  openForeignJob(order: JobOrder, at: number, fate: Fate, beyondLimit: boolean): BookedJob<Fate> | null
  /** Rows of an ended job's result file, whether or not the file can be had. */
  rowsOf(job: BookedJob<Fate>): readonly FileRow[]
  /** The job has ended and has a result file. */
  hasFile(job: BookedJob<Fate>): boolean
  /** null: no create has ever named the device. */
  whereIs(productKey: string, deviceName: string, at: number): DeviceAddress | null
}

interface JobResult {
  readonly hasFile: boolean
  readonly rows: () => readonly FileRow[]
}

const NO_ROW = 0

/** Rows of the same text share one number, so that a job of 10,000 devices is kept in 20 kB. */
const createRowNumbers = () => {
  const rows: Omit<FileRow, 'deviceName'>[] = [{ code: '', message: null }]
  const numbers = new Map<string, number>()
  return {
    numberOf({ code, message }: Omit<FileRow, 'deviceName'>): number {
      const key = JSON.stringify([code, message])
      const known = numbers.get(key)
      if (known !== undefined) return known
      numbers.set(key, rows.length)
      return rows.push({ code, message }) - 1
    },
    rowOf: (number: number) => rows[number],
  }
}

export const createProviderRules = <Fate extends JobTimes>(
  choices: ProviderChoices<Fate>,
  timeline: Timeline,
): ProviderRules<Fate> => {
  type Job = BookedJob<Fate>
  const book = createJobBook<Fate>(choices.limit, timeline, choices.jobIdOf, choices.listOrder)
  const truth = createDeviceTruth()
  const rowNumbers = createRowNumbers()
  const results = new Map<string, JobResult>()

  /** Each device is moved or fails, and gets its row in the file or none. */
  const carryOut = (job: Job, devices: Uint32Array, ending: JobEnding): (() => readonly FileRow[]) => {
    const dealt = new Uint16Array(devices.length)
    const done = Math.floor(devices.length * ending.doneShare)
    const isTold = ending.hasFile && ending.isReadable
    for (const [at, device] of devices.subarray(0, done).entries()) {
      const name = truth.nameOf(device)
      const attempt = truth.attempt(device)
      truth.notice(device, job, job.targetInstanceIds)
      const { hasMoved, row } = choices.deal(job, { name, instanceId: truth.instanceOf(device), attempt })
      if (hasMoved)
        truth.move(device, {
          jobId: job.jobId,
          at: job.endsAt,
          sourceInstanceId: job.sourceInstanceId,
          targetInstanceId: choices.targetOf(job, name),
          told: row !== null && isTold,
        })
      dealt[at] = row === null ? NO_ROW : rowNumbers.numberOf(row)
    }
    return () =>
      [...devices].flatMap((device, at) => {
        const number = dealt[at] ?? NO_ROW
        const row = rowNumbers.rowOf(number)
        return number === NO_ROW || row === undefined ? [] : [{ deviceName: truth.nameOf(device), ...row }]
      })
  }

  const rowsOfForeign = (job: Job): readonly FileRow[] =>
    Array.from({ length: job.total }, (_, at) => ({
      deviceName: `foreign-${job.number}-${at}`,
      code: '200',
      message: 'success',
    }))

  const ended = (job: Job, rowsBy: (ending: JobEnding) => () => readonly FileRow[]): EndStatus => {
    const ending = choices.endOf(job)
    results.set(job.jobId, { hasFile: ending.hasFile, rows: rowsBy(ending) })
    if (choices.isForgotten?.(job)) book.remove(job.jobId)
    return ending.endsAs
  }

  return {
    book,
    truth,
    openJob(order, deviceNames, at, fate) {
      let devices: Uint32Array = new Uint32Array()
      const job = book.open(order, at, {
        fate,
        foreign: false,
        onEnd: one => ended(one, ending => carryOut(one, devices, ending)),
      })
      // A create that is refused names no device to the provider.
      if (job !== null)
        devices = Uint32Array.from(deviceNames, name =>
          truth.register(order.productKey, name, order.sourceInstanceId),
        )
      return job
    },
    openForeignJob: (order, at, fate, beyondLimit) =>
      book.open(order, at, {
        fate,
        foreign: true,
        beyondLimit,
        onEnd: one => ended(one, () => () => rowsOfForeign(one)),
      }),
    rowsOf: job => results.get(job.jobId)?.rows() ?? [],
    hasFile: job => results.get(job.jobId)?.hasFile ?? false,
    whereIs(productKey, deviceName, at) {
      const device = truth.find(productKey, deviceName)
      if (device === null) return null
      const last = device.moves.at(-1)
      return {
        instanceId: device.instanceId,
        cameFrom: last?.from ?? device.instanceId,
        sentAt: Math.floor(book.find(last?.jobId ?? '')?.createdAt ?? last?.at ?? at),
        changedAt: Math.floor(last?.at ?? at),
      }
    },
  }
}
