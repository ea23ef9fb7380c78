import { type DeviceFault, faultOf } from './device-faults'
import type { DeviceTruth, Visit } from './device-truth'
import type { SimulatedJob } from './job-book'
import { happens, hash32 } from './random'
import type { FileFault, FileRow } from './result-file'

export interface RunOutRules {
  readonly seed: number
  readonly deviceFaults: readonly DeviceFault[]
  readonly alreadyThere: 'fail' | 'move'
  readonly missingRowRate: number
  exists(deviceName: string): boolean
}

/** What became of one job's devices; compact until someone asks for the file. */
export interface JobResults {
  rows(): FileRow[]
}

const NO_ROW = 0
/** Files that no reader can make sense of tell nothing. */
const unreadable: readonly (FileFault | null)[] = ['html', 'empty', 'truncated', 'huge']
const messages: Readonly<Record<string, string>> = {
  '200': 'success',
  'iot.device.NotExistedDevice': 'device not found',
}

/**
 * What a job does to its devices when its time has come: each is moved or fails, each gets its row in the file, or
 * none (left out by chance, or the job was interrupted before its turn).
 */
export const createRunOut = (rules: RunOutRules, truth: DeviceTruth) => {
  const codes: string[] = ['']
  const numberOf = (code: string): number => {
    const known = codes.indexOf(code)
    return known >= 0 ? known : codes.push(code) - 1
  }

  /** With strategy 1 every device has its own nearest target. */
  const nearest = ({ targetInstanceIds: [first = '', ...more] }: SimulatedJob, name: string): string =>
    more.length === 0
      ? first
      : ([first, ...more][hash32(rules.seed, 'nearest', name) % (more.length + 1)] ?? first)

  const deal = (job: SimulatedJob, device: number, visit: Visit): string => {
    const name = truth.nameOf(device)
    const attempt = truth.attempt(device)
    truth.notice(device, visit, job.targetInstanceIds)
    if (!rules.exists(name)) return 'iot.device.NotExistedDevice'
    const here = truth.instanceOf(device)
    const stays = here !== job.sourceInstanceId
    // Where a device must be to be moved is not documented; by default only from where it is said to be.
    if (stays && !(rules.alreadyThere === 'move' && job.targetInstanceIds.includes(here)))
      return 'iot.device.NotExistedDevice'
    const fault = faultOf(rules.deviceFaults, rules.seed, `${job.productKey}/${name}`, attempt)
    if (fault !== null) return fault
    truth.move(device, visit)
    return '200'
  }

  return (job: SimulatedJob, devices: Uint32Array): JobResults => {
    const results = new Uint16Array(devices.length)
    const { fate } = job
    const done = Math.floor(devices.length * fate.doneShare)
    const readable = fate.hasFile && !unreadable.includes(fate.fileFault)
    for (const [at, device] of devices.subarray(0, done).entries()) {
      const name = truth.nameOf(device)
      const hasRow = !happens(rules.missingRowRate, rules.seed, 'row', job.number, name)
      const { jobId, sourceInstanceId } = job
      const visit = {
        jobId,
        sourceInstanceId,
        targetInstanceId: nearest(job, name),
        told: hasRow && readable,
        at: job.endsAt,
      }
      const code = deal(job, device, visit)
      results[at] = hasRow ? numberOf(code) : NO_ROW
    }
    return {
      rows: () =>
        [...devices].flatMap((device, at) => {
          const code = codes[results[at] ?? NO_ROW] ?? ''
          if (code === '') return []
          return [{ deviceName: truth.nameOf(device), code, message: messages[code] ?? code }]
        }),
    }
  }
}
