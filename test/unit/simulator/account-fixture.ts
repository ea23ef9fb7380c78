import { type Account, createAccount } from '../../../src/tools/simulator/account'
import type { Result } from '../../../src/tools/simulator/answer'
import type { Operation } from '../../../src/tools/simulator/call'
import { handlers } from '../../../src/tools/simulator/gateway'
import type { JobFate } from '../../../src/tools/simulator/job-fate'
import { type SimulatorOptions, withDefaults } from '../../../src/tools/simulator/options'

export type Call = (operation: Operation, params: Record<string, string>, fate?: Partial<JobFate>) => Result

/** Parameters of a create from instance A to instance B. */
export const order = (
  names: readonly string[],
  more: Record<string, string> = {},
): Record<string, string> => ({
  ...Object.fromEntries(names.map((name, i) => [`DeviceName.${i + 1}`, name])),
  ProductKey: 'a1Product',
  SourceInstanceId: 'A',
  'TargetInstanceConfig.1.TargetInstanceId': 'B',
  Strategy: '0',
  TargetUid: '1984000000000001',
  ...more,
})

/** An account on a clock of its own; jobs take 10 ms in status 0 and 90 ms in status 1. */
export const createFixture = (options: Partial<SimulatorOptions> = {}) => {
  const account: Account = createAccount(
    withDefaults({ initMs: 10, baseMs: 90, perDeviceMs: 0, jitter: 0, ...options }),
  )
  let at = 1_000_000
  const call: Call = (operation, params, fate = {}) => {
    account.timeline.advance(at)
    return handlers[operation](account, {
      params: new Map(Object.entries(params)),
      at,
      origin: 'http://x',
      fate,
    })
  }
  const fields = (result: Result): Record<string, unknown> => {
    if (!result.ok) throw new Error(`refused: ${result.code}`)
    return { ...result.fields }
  }
  return {
    account,
    call,
    fields,
    now: () => at,
    pass(ms: number) {
      at += ms
      account.timeline.advance(at)
    },
    /** Creates a job from A to B (unless `more` says otherwise); its id. */
    create: (
      names: readonly string[],
      more: Record<string, string> = {},
      fate: Partial<JobFate> = {},
    ): string => String(fields(call('create', order(names, more), fate)).JobId),
    codeOf: (result: Result): string => (result.ok ? 'ok' : result.code),
    /** Device name → code, as the job's result file will tell. */
    rows: (jobId: string): Record<string, string> => {
      const job = account.book.find(jobId)
      if (job === undefined) throw new Error('no such job')
      return Object.fromEntries(account.rowsOf(job).map(row => [row.deviceName, row.code]))
    },
  }
}
