/** The account behind the HTTP operations: the provider's rules, with choices by seed and options. Time is given to it. */
import { faultOf } from './device-faults'
import { type BookedJob, createTimeline, type JobOrder, type PulledTimeline } from './job-book'
import { drawFate, type JobFate } from './job-fate'
import type { SimulatorOptions } from './options'
import { createProviderRules, type DeviceDealt, type ProviderRules } from './provider-rules'
import { createRandom, happens, hash32, randomText } from './random'
import { createFileLinks, type FileFault, type FileLinks } from './result-file'

export type SimulatedJob = BookedJob<JobFate>

export interface Account extends Omit<ProviderRules<JobFate>, 'openJob' | 'openForeignJob'> {
  readonly options: SimulatorOptions
  readonly links: FileLinks
  readonly timeline: PulledTimeline
  /** Like those of the rules; what `fate` leaves out is drawn. */
  openJob(
    order: JobOrder,
    deviceNames: readonly string[],
    at: number,
    fate: Partial<JobFate>,
  ): SimulatedJob | null
  openForeignJob(
    order: JobOrder,
    at: number,
    fate: Partial<JobFate>,
    beyondLimit: boolean,
  ): SimulatedJob | null
  deviceExists(deviceName: string): boolean
  instanceExists(instanceId: string): boolean
}

/** Files that no reader can make sense of tell nothing. */
const unreadable: readonly (FileFault | null)[] = ['html', 'empty', 'truncated', 'huge']
const notExisting = 'iot.device.NotExistedDevice'
const messages: Readonly<Record<string, string>> = { '200': 'success', [notExisting]: 'device not found' }

export const createAccount = (options: SimulatorOptions): Account => {
  const { missingPrefix, seed, jobIdPrefix } = options
  const timeline = createTimeline()
  const jobIds = createRandom(hash32(seed, 'job ids'))
  const isMissing = (name: string) => missingPrefix !== '' && name.startsWith(missingPrefix)
  const deviceExists = (name: string) =>
    !isMissing(name) && !happens(options.missingDeviceRate, seed, 'exists', name)

  /** The code with which a device fails; null: it is moved. */
  const refusalOf = (job: SimulatedJob, name: string, here: string, attempt: number): string | null => {
    if (!deviceExists(name)) return notExisting
    const isElsewhere = here !== job.sourceInstanceId
    // Where a device must be to be moved is not documented; by default only from where it is said to be.
    if (isElsewhere && !(options.alreadyThere === 'move' && job.targetInstanceIds.includes(here)))
      return notExisting
    return faultOf(options.deviceFaults, seed, `${job.productKey}/${name}`, attempt)
  }

  const rules = createProviderRules<JobFate>(
    {
      limit: options,
      listOrder: options.listOrder,
      jobIdOf: () => jobIdPrefix + randomText(jobIds, 26 - Math.min(jobIdPrefix.length, 10)),
      endOf: ({ fate }) => ({ ...fate, isReadable: !unreadable.includes(fate.fileFault) }),
      deal: (job, { name, instanceId, attempt }): DeviceDealt => {
        const refusal = refusalOf(job, name, instanceId, attempt)
        const code = refusal ?? '200'
        return {
          hasMoved: refusal === null,
          row: happens(options.missingRowRate, seed, 'row', job.number, name)
            ? null
            : { code, message: messages[code] ?? code },
        }
      },
      // With strategy 1 every device has its own nearest target.
      targetOf: ({ targetInstanceIds }, name) =>
        targetInstanceIds[
          targetInstanceIds.length > 1 ? hash32(seed, 'nearest', name) % targetInstanceIds.length : 0
        ] ?? '',
    },
    timeline,
  )
  const fateOf = (total: number, fate: Partial<JobFate>): JobFate => ({
    ...drawFate(options, rules.book.nextNumber(), total),
    ...fate,
  })

  return {
    ...rules,
    options,
    timeline,
    links: createFileLinks(`files of ${seed}`, options.fileUrlMs),
    deviceExists,
    instanceExists: name => !isMissing(name),
    openJob: (order, deviceNames, at, fate) =>
      rules.openJob(order, deviceNames, at, fateOf(order.total, fate)),
    openForeignJob: (order, at, fate, beyondLimit) =>
      rules.openForeignJob(order, at, fateOf(order.total, fate), beyondLimit),
  }
}
