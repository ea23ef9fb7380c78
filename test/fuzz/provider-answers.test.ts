import fc from 'fast-check'
import { firstValueFrom, toArray } from 'rxjs'
import type { CallResult, JobApi } from '../../src/ports/job-api'
import { anyAnswer, type ProviderAnswer } from '../support/fuzz/any-answer'
import { check } from '../support/fuzz/check'
import { fuzz } from '../support/fuzz/run-cases'
import { apiOn, keyPair, rawRoute } from '../support/raw-provider'
import { type RawServer, startRawServer } from '../support/raw-server'

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for control characters
const control = /[\u0000-\u001f\u007f-\u009f]/
const kinds = ['throttled', 'slots-full', 'unanswered', 'batch-refused', 'account-refused', 'unknown']

const operations = ['create', 'list', 'query', 'detail', 'provisioning'] as const
type Operation = (typeof operations)[number]

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

/** Does the answer say, in JSON, that it succeeded? */
const saysSuccess = ({ status, body }: ProviderAnswer): boolean => {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(body))
    const said =
      typeof document === 'object' && document !== null && 'Success' in document && document.Success
    return status < 400 && String(said).toLowerCase() === 'true'
  } catch {
    return false
  }
}

describe('the provider’s answers', () => {
  let server: RawServer
  let api: JobApi
  let next: ProviderAnswer
  beforeAll(async () => {
    server = await startRawServer((request, response) => {
      const { status, contentType, body, cutAfter } = next
      request.resume()
      response.writeHead(status, { 'content-type': contentType, 'content-length': body.length })
      if (cutAfter === null || cutAfter >= body.length) response.end(body)
      else response.write(body.subarray(0, cutAfter), () => response.destroy())
    })
    api = apiOn(server.url, 2_000)
  })
  afterAll(() => server.close())

  /** The call of each operation. */
  const calls: Readonly<Record<Operation, () => Promise<readonly CallResult<unknown>[]>>> = {
    create: () => firstValueFrom(api.create(rawRoute, ['meter-0001', 'meter-0002']).pipe(toArray())),
    list: () => firstValueFrom(api.list({ productKey: 'a1BwAGVexmp' }).pipe(toArray())),
    query: () => firstValueFrom(api.query('Ubms0001').pipe(toArray())),
    detail: () => firstValueFrom(api.detail('Ubms0001').pipe(toArray())),
    provisioning: () => firstValueFrom(api.provisioning('a1BwAGVexmp', 'meter-0001').pipe(toArray())),
  }
  const checkJob = (job: Readonly<Record<string, unknown>>): void => {
    for (const name of ['providerJobId', 'productKey', 'sourceInstanceId'])
      check(isText(job[name]), name, job)
    for (const name of ['status', 'strategy', 'total', 'createdAt']) check(isCount(job[name]), name, job)
    check(Number(job.status) <= 3, 'a status', job)
    check(Array.isArray(job.targetInstanceIds) && job.targetInstanceIds.every(isText), 'targets', job)
  }
  const checkValue = (operation: Operation, value: Readonly<Record<string, unknown>>): void => {
    if (operation === 'create') check(isText(value.providerJobId), 'a job id', value)
    else if (operation === 'detail') check(value.url === null || isText(value.url), 'an address', value)
    else if (operation === 'provisioning') check(isText(value.instanceId), 'a place', value)
    else if (operation === 'query') checkJob(value)
    else {
      check(Array.isArray(value.jobs) && isCount(value.total), 'a page', value)
      for (const job of value.jobs as Readonly<Record<string, unknown>>[]) checkJob(job)
    }
  }

  fuzz('become a value or a failure of a known kind, whatever they are', {
    share: 0.08,
    cases: fc.tuple(fc.constantFrom(...operations), anyAnswer),
    outcomeOf: async ([operation, answer]) => {
      next = answer
      const results = await calls[operation]()
      check(results.length === 1, 'one answer', results.length)
      const [result] = results
      if (result === undefined) return 'nothing'
      if (result.ok) {
        check(saysSuccess(answer), 'success that was said', operation)
        checkValue(operation, result.value as Readonly<Record<string, unknown>>)
        return `${operation}: ok`
      }
      // The call has reached the server, so it must not be reported as one that was never sent.
      check(kinds.includes(result.kind), 'a kind of answer', result)
      for (const text of [result.code, result.message])
        check(isText(text) && !control.test(text) && text.length <= 500, 'plain text', result)
      check(!`${result.code} ${result.message}`.includes(keyPair.accessKeySecret), 'without secrets', result)
      if (operation === 'create' && saysSuccess(answer))
        check(result.kind === 'unanswered', 'a job that may be there', result)
      return `${operation}: ${result.kind}`
    },
  })
})
