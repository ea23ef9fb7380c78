import type { DeviceRecord } from '../../src/tools/simulator/device-truth'
import type { ResultsCheck } from './results-check'

export interface TruthSummary {
  /** Devices that the provider moved more often than their requests had the outcome `moved`. */
  readonly movedUntold: number
  /** Devices with an outcome `moved` whose move the provider did not carry out. */
  readonly toldUnmoved: number
  /** Devices whose fate was uncertain after some attempt. They may have at most one move for each request. */
  readonly uncertain: number
  readonly examples: readonly string[]
}

const listed = 5

/**
 * Compares the final outcomes with what the provider did. The targets of a device's moves must be those of its requests
 * that ended as `moved`, in their order.
 */
export const checkTruth = (
  devices: ReturnType<ResultsCheck['devices']>,
  truth: ReadonlyMap<string, DeviceRecord>,
): TruthSummary => {
  const summary = { movedUntold: 0, toldUnmoved: 0, uncertain: 0 }
  const examples: string[] = []
  for (const { name, requests } of devices) {
    const told = requests.filter(({ outcome }) => outcome === 'moved').map(({ asked }) => asked.to)
    const done = (truth.get(name)?.moves ?? []).map(({ to }) => to)
    const isUncertain = requests.some(request => request.isUncertain)
    const most = isUncertain ? requests.map(({ asked }) => asked.to) : told
    if (isUncertain) summary.uncertain += 1
    const isFitting = isUncertain ? isWithin(done, most) && isWithin(told, done) : isSame(done, told)
    if (isFitting) continue
    if (isWithin(done, most)) summary.toldUnmoved += 1
    else summary.movedUntold += 1
    if (examples.length < listed) {
      const outcomes = requests.map(
        ({ asked, outcome, code, attempt }) =>
          `${asked.requestId}: ${outcome ?? 'none'} ${code} at attempt ${attempt}`,
      )
      examples.push(
        `${name}: ${outcomes.join(', ')}; moved by ${JSON.stringify(truth.get(name)?.moves ?? [])}`,
      )
    }
  }
  return { ...summary, examples }
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.join('|') === b.join('|')

/** Whether `few` is left when some elements of `many` are taken out. */
const isWithin = (few: readonly string[], many: readonly string[]): boolean => {
  let at = 0
  for (const one of many) if (one === few[at]) at += 1
  return at === few.length
}
