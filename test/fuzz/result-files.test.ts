import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { firstValueFrom } from 'rxjs'
import { classifyDeviceCode } from '../../src/domain/device-results'
import { deriveVerdicts } from '../../src/domain/settlement'
import { createHostCheck } from '../../src/iot/results/allowed-host'
import { fetchResultFile } from '../../src/iot/results/fetch-result-file'
import { type ParsedResults, parseResultFile } from '../../src/iot/results/parse-result-file'
import { anyResultFile, sentNames } from '../support/fuzz/any-result-file'
import { check } from '../support/fuzz/check'
import { fuzz } from '../support/fuzz/run-cases'
import { type RawServer, startRawServer } from '../support/raw-server'

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for control characters
const control = /[\u0000-\u001f\u007f-\u009f]|[\ud800-\udbff]$/
const moves = sentNames.map((deviceName, index) => ({
  seq: BigInt(index + 1),
  deviceName,
  attempt: 1,
}))
const policy = { maxAttempts: 5, backoffMs: 1_000, backoffMaxMs: 60_000 }

/** Every way to write a 200 that is read as 200. */
const twoHundred = /200|2e2|\\u0032/i

const checkParsed = (parsed: ParsedResults, body: Uint8Array): string => {
  if ('problem' in parsed) {
    check(parsed.problem.trim() !== '' && !control.test(parsed.problem), 'a reason', parsed.problem)
    return 'unreadable'
  }
  const { rows } = parsed
  check(rows.size > 0, 'rows', rows.size)
  const text = new TextDecoder().decode(body)
  for (const [name, { code, message }] of rows) {
    check(
      sentNames.some(sent => sent === name),
      'a device that was sent',
      name,
    )
    check(code !== '' && !control.test(code) && code.length <= 100, 'a plain code', code)
    check(message === null || !control.test(message), 'a plain message', message)
    if (classifyDeviceCode(code) === 'moved')
      check(code.trim() === '200' && twoHundred.test(text), 'a code 200 of the file', code)
  }
  const { verdicts } = deriveVerdicts({
    moves,
    rows,
    fates: new Map(),
    ended: 'completed',
    policy,
    classify: classifyDeviceCode,
    random: () => 0.5,
  })
  check(verdicts.length === moves.length, 'an outcome for every device', verdicts.length)
  for (const [index, { outcome, code, final, retryInMs }] of verdicts.entries()) {
    const row = rows.get(sentNames[index] ?? '')
    if (outcome === 'moved') check(row?.code.trim() === '200', 'moved without a 200', [code, row])
    check(code !== '' && (final || (retryInMs ?? 0) > 0), 'an end, or a next attempt', [code, final])
  }
  return verdicts.some(({ outcome }) => outcome === 'moved') ? 'read, some moved' : 'read, none moved'
}

describe('the reader of result files', () => {
  fuzz('answers any bytes with rows or a reason', {
    share: 0.32,
    cases: anyResultFile,
    outcomeOf: body => checkParsed(parseResultFile(body, sentNames), body),
  })
})

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Bytes of the body that are sent before the connection is cut; null: all. */
  readonly cutAfter: number | null
}

const anyAnswer: fc.Arbitrary<Answer> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(200) },
      fc.constantFrom(204, 206, 301, 307, 400, 403, 404, 408, 416, 429, 500, 503),
    ),
    fc.constantFrom('none', 'none', 'gzip', 'gzip', 'gzip, gzip', 'br', 'claimed', 'cut zip', 'x-gzip'),
    fc.constantFrom(
      'application/json',
      'text/csv; charset=gbk',
      'text/html',
      'application/gzip',
      'x'.repeat(300),
    ),
    anyResultFile,
    fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.nat({ max: 40 })),
  )
  .map(([status, encoding, contentType, file, cutAfter]) => {
    const zipped = encoding.includes('gzip') || encoding === 'cut zip' ? gzipSync(file) : Buffer.from(file)
    const body = encoding === 'gzip, gzip' ? gzipSync(zipped) : zipped
    const named =
      new Map([
        ['none', ''],
        ['claimed', 'gzip'],
        ['cut zip', 'gzip'],
      ]).get(encoding) ?? encoding
    return {
      status,
      headers: {
        'content-type': contentType,
        ...(named === '' ? {} : { 'content-encoding': named }),
        ...(status === 301 || status === 307 ? { location: 'http://127.0.0.1:1/' } : {}),
      },
      body: encoding === 'cut zip' ? body.subarray(0, body.length - 3) : body,
      cutAfter,
    }
  })

describe('the download of result files', () => {
  let server: RawServer
  let next: Answer
  beforeAll(async () => {
    server = await startRawServer((_request, response) => {
      const { status, headers, body, cutAfter } = next
      response.writeHead(status, { ...headers, 'content-length': body.length })
      if (cutAfter === null || cutAfter >= body.length) response.end(body)
      else response.write(body.subarray(0, cutAfter), () => response.destroy())
    })
  })
  afterAll(() => server.close())

  const fetchOptions = { check: createHostCheck(['127.0.0.1']), deadlineMs: 5_000, maxBytes: 50_000 }

  fuzz('ends with a file or a reason, whatever the host sends', {
    share: 0.05,
    cases: anyAnswer,
    outcomeOf: async answer => {
      next = answer
      const fetched = await firstValueFrom(fetchResultFile(`${server.url}/f?Signature=secret`, fetchOptions))
      if (fetched.kind !== 'file') {
        if ('message' in fetched) {
          check(fetched.message.trim() !== '', 'a reason', fetched)
          check(!fetched.message.includes('secret'), 'a reason without the signature', fetched.message)
        }
        return fetched.kind
      }
      const whole = answer.cutAfter === null || answer.cutAfter >= answer.body.length
      check(answer.status === 200 && whole, 'a whole answer 200', answer.status)
      return checkParsed(parseResultFile(fetched.file.body, sentNames), fetched.file.body)
    },
  })
})
