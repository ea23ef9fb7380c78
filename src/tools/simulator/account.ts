import { createDeviceTruth, type DeviceTruth } from './device-truth'
import {
  createJobBook,
  createTimeline,
  type JobBook,
  type JobOrder,
  type SimulatedJob,
  type Timeline,
} from './job-book'
import { drawFate, type JobFate } from './job-fate'
import type { SimulatorOptions } from './options'
import { happens } from './random'
import { createFileLinks, type FileLinks, type FileRow } from './result-file'
import { createRunOut } from './run-out'

/** The account behind the operations: its jobs, its devices, its files. Time is given to it. */
export interface Account {
  readonly options: SimulatorOptions
  readonly book: JobBook
  readonly truth: DeviceTruth
  readonly links: FileLinks
  readonly timeline: Timeline
  /** A job with devices; null: the job limit is reached. */
  openJob(
    order: JobOrder,
    deviceNames: readonly string[],
    at: number,
    fate: Partial<JobFate>,
  ): SimulatedJob | null
  /** A job of somebody else in the same account; it moves nothing we know of. */
  openForeignJob(
    order: JobOrder,
    at: number,
    fate: Partial<JobFate>,
    beyondLimit: boolean,
  ): SimulatedJob | null
  /** Rows of an ended job's file. */
  rowsOf(job: SimulatedJob): readonly FileRow[]
  deviceExists(deviceName: string): boolean
  instanceExists(instanceId: string): boolean
}

export const createAccount = (options: SimulatorOptions): Account => {
  const timeline = createTimeline()
  const book = createJobBook(options, timeline)
  const truth = createDeviceTruth()
  const results = new Map<string, () => readonly FileRow[]>()
  const { missingPrefix, seed } = options
  const missing = (name: string) => missingPrefix !== '' && name.startsWith(missingPrefix)
  const deviceExists = (name: string) =>
    !missing(name) && !happens(options.missingDeviceRate, seed, 'exists', name)
  const runOut = createRunOut({ ...options, exists: deviceExists }, truth)
  const fateOf = (total: number, fate: Partial<JobFate>) => ({
    ...drawFate(options, book.nextNumber(), total),
    ...fate,
  })

  return {
    options,
    book,
    truth,
    timeline,
    links: createFileLinks(`files of ${seed}`, options.fileUrlMs),
    deviceExists,
    instanceExists: name => !missing(name),
    rowsOf: job => results.get(job.jobId)?.() ?? [],
    openJob(order, deviceNames, at, fate) {
      const { productKey, sourceInstanceId, total } = order
      const devices = (): Uint32Array =>
        Uint32Array.from(deviceNames, name => truth.register(productKey, name, sourceInstanceId))
      let registered: Uint32Array = new Uint32Array()
      const job = book.open(order, at, {
        fate: fateOf(total, fate),
        foreign: false,
        onEnd: ended => results.set(ended.jobId, runOut(ended, registered).rows),
      })
      if (job !== null) registered = devices()
      return job
    },
    openForeignJob(order, at, fate, beyondLimit) {
      const rows = (job: SimulatedJob) =>
        Array.from({ length: job.total }, (_, i) => ({
          deviceName: `foreign-${job.number}-${i}`,
          code: '200',
          message: 'success',
        }))
      const onEnd = (job: SimulatedJob) => results.set(job.jobId, () => rows(job))
      return book.open(order, at, { fate: fateOf(order.total, fate), foreign: true, beyondLimit, onEnd })
    },
  }
}
