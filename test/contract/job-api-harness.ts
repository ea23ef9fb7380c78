import { defer, first, firstValueFrom, map, type Observable, repeat, timer } from 'rxjs'
import type { RouteFields } from '../../src/domain/route'
import type { CallResult, JobApi, ListedJob, Operation } from '../../src/ports/job-api'

export type ApiFault = 'throttle' | 'lose-answer' | 'lose-request' | 'batch' | 'account' | 'new-code'
export type FetchFault = 'expired' | 'unreachable' | 'unreadable'

/** A provider to test against: jobs take a tenth of a second, three may be open, devices named `missing-…` fail. */
export interface JobApiHarness {
  readonly api: JobApi
  /** Calls that reached the provider. */
  calls(operation: Operation): number
  failNext(operation: Operation, fault: ApiFault): void
  failNextFetch(fault: FetchFault): void
  /** Adds an open job of other people, past any limit. */
  addForeignJob(productKey: string): void
  close(): Promise<void>
}

export const route: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  strategy: 0,
  targetInstanceIds: ['iot-cn-6ja9x1'],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'normal',
}
export const devices = ['meter-0001', 'meter:0002', 'missing-03', 'meter@0004']

export const answerOf = <T>(result: CallResult<T>): T => {
  if (!result.ok) throw new Error(`${result.kind}: ${result.code}: ${result.message}`)
  return result.value
}
export const failureOf = (result: CallResult<unknown>): unknown => (result.ok ? 'ok' : result.kind)

export const ask = <T>(call: Observable<CallResult<T>>): Promise<CallResult<T>> => firstValueFrom(call)

/** Repeats a call until its answer is as wanted. */
export const until = <T>(read: () => Observable<T>, reached: (value: T) => boolean): Promise<T> =>
  firstValueFrom(defer(read).pipe(repeat({ delay: () => timer(10) }), first(reached)))

export const create = async (
  api: JobApi,
  names: readonly string[] = devices,
  on: RouteFields = route,
): Promise<string> => answerOf(await ask(api.create(on, names))).providerJobId

export const listed = async (api: JobApi, productKey = route.productKey): Promise<readonly ListedJob[]> =>
  answerOf(await ask(api.list({ productKey }))).jobs

export const ended = (api: JobApi, id: string): Promise<ListedJob> =>
  until(
    () => api.query(id).pipe(map(answerOf)),
    job => job.status >= 2,
  )
