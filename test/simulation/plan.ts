/**
 * What a seed decides: the size of everything and how often each kind of fault happens. Each kind is on in some seeds
 * and off in others, so that a fault that hides another does not hide it in every seed.
 */
import { seeded } from '../support/virtual-driver'
import { createDraw, type Draw } from './draw'
import { type FaultKind, faultKinds } from './faults'

export interface Plan {
  readonly seed: number
  readonly replicas: number
  readonly partitions: number
  readonly routes: number
  readonly devicesPerRoute: number
  /** Requests are sent within this time from the start, ms. */
  readonly requestsForMs: number
  /** Nothing goes wrong after this time from the start, ms. */
  readonly calmAtMs: number
  /** If something is not done this long after that, it is stuck, ms. */
  readonly doneWithinMs: number
  readonly batchMaxDevices: number
  readonly batchMaxWaitMs: number
  readonly quotaJobs: number
  /** Jobs that the provider lets be open. It allows more than `quotaJobs`, so that a job beyond it is seen to start. */
  readonly providerJobs: number
  readonly qps: number
  readonly maxAttempts: number
  readonly createSettleMs: number
  readonly callTimeoutMs: number
  readonly lookUpMaxDevices: number
  /** The shortest and the longest time of a job, ms. */
  readonly jobMs: readonly [number, number]
  /** The provider's clock minus ours, ms. */
  readonly clockSkewMs: number
  /** The longest time one way of a call and of a slow call, ms. */
  readonly wireMs: number
  readonly slowWireMs: number
  readonly listLagMs: number
  /** Jobs on a page of List. */
  readonly pageSize: number
  /** The longest time one way to the journal, ms. */
  readonly journalMs: number
  /** A claim of more moves takes too long, of every other route; null: none does. */
  readonly claimLimit: number | null
  /** Most waiting moves that one transaction releases. */
  readonly mostReleased: number
  /** No connection shows to appends that the database has changed: only what they continue from does. */
  readonly appendsBlindly: boolean
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>
  /** Nearly every job is interrupted without a file, and nothing else goes wrong: devices are looked up in masses. */
  readonly isStorm: boolean
}

/** The highest rate of each kind: per call, device, job, transaction or second, whichever fits the kind. */
const highest: Readonly<Record<FaultKind, number>> = {
  throttled: 0.08,
  'answer lost': 0.08,
  'call lost': 0.08,
  'call not sent': 0.05,
  'call slow': 0.1,
  'create run late': 0.2,
  'code unknown': 0.04,
  'account refused': 0.004,
  'batch refused': 0.06,
  'many bad devices': 0.4,
  'route refused': 0.05,
  'slots full, code unknown': 0.5,
  'list late': 0.6,
  'stranger in the list': 0.03,
  'look-alike in the list': 0.1,
  'job interrupted': 0.25,
  'job interrupted, no file': 0.12,
  'job forgotten': 0.04,
  'storm of interruptions': 0.9,
  'job never ends': 0.1,
  'device failed, worth a retry': 0.15,
  'device failed for good': 0.06,
  'row missing': 0.04,
  'row missing, device moved': 0.04,
  'file late': 0.25,
  'file partial': 0.15,
  'file expired': 0.2,
  'file unreachable': 0.2,
  'file unreadable': 0.08,
  'look-up useless': 0.2,
  'journal refused': 0.04,
  'commit answer lost': 0.05,
  'journal slow': 0.03,
  'journal cut off': 0.01,
  'notification lost': 0.5,
  'database older': 0.05,
  crash: 0.015,
  'crash at a step': 0.004,
  freeze: 0.01,
  'freeze at a step': 0.003,
  stop: 0.008,
  'request sent twice': 0.25,
  'request repeated': 0.25,
  'bad record': 0.1,
  rebalance: 0.02,
  'route cancelled': 0.004,
  'topic made anew': 0.01,
  'publish aborted': 0.2,
  'publish answer lost': 0.2,
  'sink refused': 0.2,
}

/** Faults that may hand the lease on while calls of the old holder are under way. */
const takeOvers: readonly FaultKind[] = [
  'crash',
  'crash at a step',
  'freeze',
  'freeze at a step',
  'stop',
  'journal refused',
  'commit answer lost',
  'journal slow',
  'journal cut off',
]

const together: readonly [readonly FaultKind[], ...(readonly FaultKind[])[]] = [
  ['answer lost', 'call lost', 'create run late', 'list late'],
  ['job interrupted', 'job interrupted, no file', 'look-up useless', 'device failed, worth a retry'],
  ['crash at a step', 'freeze at a step', 'commit answer lost'],
  ['freeze', 'journal cut off', 'call slow'],
  ['freeze', 'freeze at a step', 'throttled', 'batch refused'],
  ['many bad devices', 'crash at a step', 'commit answer lost', 'route refused'],
  ['many bad devices', 'route cancelled', 'answer lost', 'request repeated'],
  ['publish aborted', 'publish answer lost', 'crash'],
]

const drawRates = (draw: Draw): Plan['rates'] => {
  // A tenth of the seeds are without faults. What fails there fails often.
  const share = draw.chance(0.1) ? 0 : draw.oneOf([0.2, 0.4, 0.6])
  const rates: Partial<Record<FaultKind, number>> = {}
  for (const kind of faultKinds)
    if (kind !== 'storm of interruptions' && draw.chance(share))
      rates[kind] = highest[kind] * (0.1 + 0.9 * draw.random())
  // Some faults do the most harm together.
  if (share > 0 && draw.chance(0.3)) for (const kind of draw.oneOf(together)) rates[kind] = highest[kind]
  return rates
}

/** The plan with many devices in small jobs, of which nearly every one is interrupted until it is calm. */
const stormOf = (plan: Plan): Plan => ({
  ...plan,
  routes: 5,
  devicesPerRoute: 40,
  requestsForMs: 120_000,
  calmAtMs: 400_000,
  batchMaxDevices: 20,
  jobMs: [3_000, 6_000],
  maxAttempts: 5,
  lookUpMaxDevices: 0,
  rates: { 'storm of interruptions': highest['storm of interruptions'] },
  isStorm: true,
})

export const planOf = (seed: number): Plan => {
  const draw = createDraw(seeded(seed * 2_654_435_761))
  const { between, oneOf } = draw
  const rates = drawRates(draw)
  const quotaJobs = between(2, 3)
  const shortest = oneOf([1_000, 3_000, 10_000])
  const createSettleMs = oneOf([20_000, 40_000, 60_000])
  // At a take-over, the lease's margin and the quota's window together allow calls of the old holder two seconds on the
  // way. Without a take-over, the tokens wait for each answer however late it comes.
  const mayTakeOver = takeOvers.some(kind => rates[kind] !== undefined)
  const plan: Plan = {
    seed,
    replicas: oneOf([1, 2, 2, 3]),
    partitions: between(1, 4),
    routes: between(2, 5),
    devicesPerRoute: between(4, 14),
    requestsForMs: oneOf([1_000, 30_000, 120_000]),
    calmAtMs: oneOf([120_000, 240_000, 400_000]),
    doneWithinMs: 7_200_000,
    batchMaxDevices: oneOf([2, 5, 5, 10, 20]),
    batchMaxWaitMs: oneOf([1_000, 5_000]),
    quotaJobs,
    providerJobs: quotaJobs + oneOf([0, 2, 4]),
    qps: oneOf([2, 2, 3]),
    maxAttempts: between(2, 5),
    createSettleMs,
    callTimeoutMs: oneOf([5_000, 20_000]),
    lookUpMaxDevices: oneOf([1, 0]),
    jobMs: [shortest, shortest * oneOf([2, 6])],
    clockSkewMs: between(-20_000, 20_000),
    wireMs: oneOf([40, 150, 400]),
    slowWireMs: mayTakeOver ? 1_900 : 4_000,
    listLagMs: oneOf([1_000, 4_000, 8_000]),
    pageSize: oneOf([10, 20, 200]),
    journalMs: oneOf([2, 20]),
    appendsBlindly: draw.chance(0.8),
    claimLimit: oneOf([null, null, 1, 3]),
    mostReleased: oneOf([1, 3, 20_000]),
    rates,
    isStorm: false,
  }
  return draw.chance(0.1) ? stormOf(plan) : plan
}
