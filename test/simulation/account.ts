/** The provider of a run: the simulated one, with the faults that the seed decides and with every job in the ledger. */
import type { CallFailure, Operation } from '../../src/ports/job-api'
import type { JobEnd, SimulatedJob } from '../support/simulated-jobs'
import { createSimulatedProvider, type SimulatedProvider } from '../support/simulated-provider'
import type { CallFault } from '../support/simulated-wire'
import type { Clock } from './clock'
import type { Draw } from './draw'
import type { Faults } from './faults'
import type { Ledger, LedgerJob } from './ledger'
import type { Plan } from './plan'
import type { RefusedRoutes } from './refused-routes'
import type { Trace } from './trace'
import { accountUid } from './workload'

export interface AccountDeps {
  readonly plan: Plan
  readonly clock: Clock
  readonly draw: Draw
  readonly faults: Faults
  readonly ledger: Ledger
  readonly trace: Trace
  readonly badDevices: ReadonlySet<string>
  readonly refusedRoutes: RefusedRoutes
  readonly onJobStart: (job: SimulatedJob) => void
  /** Whether the journal knows the job by its JobId. */
  readonly isKnown: (providerJobId: string) => boolean
}

const refusal = (kind: CallFailure['kind'], code: string): CallFailure => ({
  ok: false,
  kind,
  code,
  message: `made to fail: ${code}`,
})

/** Longer than any run, ms. */
const neverMs = 20 * 86_400_000

const retryable = ['iot.system.SystemException', 'iot.made.up'] as const

export const createAccount = (deps: AccountDeps): SimulatedProvider => {
  const { plan, clock, draw, faults, ledger, trace } = deps
  let refusedUntil = 0
  /** The job that is carried out at this moment. */
  let ending: LedgerJob | null = null
  let hasFile = true
  /** Among jobs that look alike an unanswered create waits six hours for all of them to end, longer than a run takes. */
  let hasEndless = plan.rates['look-alike in the list'] !== undefined

  /** One job of a run at most never ends, because each takes a slot for ever. */
  const jobMs = (): number => {
    const usualMs = draw.between(...plan.jobMs)
    if (hasEndless || !faults.hit('job never ends')) return usualMs
    hasEndless = true
    return neverMs
  }

  const onCreate = (): CallFault | null => {
    if (faults.hit('code unknown')) return { kind: 'unknown', code: 'iot.made.Up' }
    if (!faults.hit('create run late')) return null
    // It is shown in List before the settling time is over, because that is what the settling time waits for.
    return { heldUpMs: draw.between(0, plan.createSettleMs - plan.listLagMs - 3_000) }
  }

  const onCall = (operation: Operation): CallFault => {
    if (clock.now() < refusedUntil) return { kind: 'account-refused', code: 'Forbidden.RAM' }
    if (faults.hit('account refused')) refusedUntil = clock.now() + draw.between(2_000, 60_000)
    if (faults.hit('call lost')) return 'lose-request'
    if (faults.hit('call not sent')) return { kind: 'not-sent', code: 'ECONNREFUSED' }
    if (faults.hit('throttled')) return 'throttle'
    if (operation === 'provisioning' && faults.hit('look-up useless'))
      return { kind: 'unknown', code: 'iot.made.Up' }
    const trouble = operation === 'create' ? onCreate() : null
    if (trouble !== null) return trouble
    return faults.hit('answer lost') ? 'lose-answer' : 'ok'
  }

  const onJobEnd = (job: SimulatedJob): JobEnd => {
    const isBroken = !job.foreign && faults.hit('job interrupted')
    const hasNoFile =
      !job.foreign &&
      !isBroken &&
      (faults.hit('job interrupted, no file') || faults.hit('storm of interruptions'))
    ending = ledger.ended(job.providerJobId, isBroken || hasNoFile)
    hasFile = !hasNoFile
    const end = isBroken ? 'interrupted' : hasNoFile ? 'interrupted-without-file' : 'completed'
    trace.note('provider', () => `${job.providerJobId} ${end}`)
    return end
  }

  const resultOf = (name: string) => {
    const job = ending
    const note = (row: string | null, hasMoved: boolean): void => {
      if (row !== null && hasFile) job?.rows.set(name, row)
      if (hasMoved) job?.moved.add(name)
      if (row !== '200')
        trace.note('provider', () => `${name}: ${row ?? 'no row'}${hasMoved ? ', moved' : ''}`)
    }
    if (faults.hit('row missing')) {
      note(null, false)
      return 'missing' as const
    }
    if (faults.hit('row missing, device moved')) {
      note(null, true)
      return 'moved-unreported' as const
    }
    const code = faults.hit('device failed, worth a retry')
      ? draw.oneOf(retryable)
      : faults.hit('device failed for good')
        ? 'iot.device.NotExistedDevice'
        : '200'
    note(code, code === '200')
    return { code }
  }

  const onFetch = () => {
    if (faults.hit('file expired')) return 'expired' as const
    if (faults.hit('file unreachable')) return 'unreachable' as const
    return faults.hit('file unreadable') ? ('unreadable' as const) : ('ok' as const)
  }

  const provider = createSimulatedProvider({
    random: draw.random,
    latencyMs: () =>
      faults.hit('call slow') ? draw.between(300, plan.slowWireMs) : draw.between(5, plan.wireMs),
    callTimeoutMs: plan.callTimeoutMs,
    jobMs,
    initialisingMs: draw.between(0, 500),
    maxOpenJobs: plan.providerJobs,
    ...(faults.hit('slots full, code unknown') ? { full: refusal('unknown', 'iot.made.Full') } : {}),
    refuse: (route, names) => {
      if (deps.refusedRoutes.isRefused(route)) return refusal('batch-refused', 'iot.system.InstanceNotFound')
      deps.refusedRoutes.letGo(route)
      return names.some(name => deps.badDevices.has(`${route.productKey}/${name}`))
        ? refusal('batch-refused', 'iot.common.AuthActionPermissionDeny')
        : null
    },
    listLagMs: () => (faults.hit('list late') ? draw.between(0, plan.listLagMs) : 0),
    pageSize: plan.pageSize,
    clockSkewMs: plan.clockSkewMs,
    accountUid,
    onCall,
    onJobStart: job => {
      const { providerJobId, route, deviceNames, total } = job
      trace.note('provider', () =>
        job.foreign
          ? `${providerJobId}, a stranger's, of ${total} devices`
          : `${providerJobId} runs: ${deviceNames.join(' ')}`,
      )
      deps.onJobStart(job)
      const { productKey, targetInstanceIds } = route
      const target = targetInstanceIds.join()
      if (!job.foreign) ledger.started({ providerJobId, productKey, target, deviceNames })
    },
    onJobEnd,
    isForgotten: ({ providerJobId }) => {
      if (!deps.isKnown(providerJobId) || !faults.hit('job forgotten')) return false
      ledger.forgottenByProvider(providerJobId)
      return true
    },
    resultOf,
    onFetch,
  })
  return provider
}
