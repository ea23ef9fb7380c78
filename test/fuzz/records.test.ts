import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020'
import { outcomeOfRejection } from '../../src/domain/outcome'
import { encodeDeadLetter, encodeResult, nextRequestId } from '../../src/domain/outcome-records'
import type { Rejection } from '../../src/domain/request'
import { routeKey } from '../../src/domain/route'
import type { SourceRecord } from '../../src/ports/request-source'
import { createRecordParser, type ParsedRecord } from '../../src/requests/parse-record'
import { anyRecord } from '../support/fuzz/any-record'
import { check } from '../support/fuzz/check'
import { fuzz } from '../support/fuzz/run-cases'

const parse = createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })
const schema = JSON.parse(readFileSync(join(__dirname, '../../schemas/outcome.schema.json'), 'utf8'))
const isOutcome = new Ajv2020({ formats: { 'date-time': text => !Number.isNaN(Date.parse(text)) } }).compile(
  schema,
)
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/** Every text of a value that is stored or shown. */
const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (value instanceof Uint8Array || value instanceof Date || typeof value !== 'object' || value === null)
    return []
  return Object.values(value).flatMap(textsOf)
}

const checkRejection = (rejection: Rejection, record: SourceRecord): void => {
  const { message, requestId, deadLetter, originalSize, requestedAt, recordedAt } = rejection
  check(message.length > 40 && message.length <= 1000, 'a reason', message)
  check([...requestId].length <= 256, 'a short id', requestId)
  check(deadLetter.length <= 900_000, 'a dead letter the broker takes', deadLetter.length)
  for (const at of [requestedAt, recordedAt])
    check(at.getTime() >= 0 && at.getTime() < Date.UTC(10_000, 0), 'an instant the database takes', at)
  const outcome = outcomeOfRejection(rejection, new Date(0))
  const result: unknown = JSON.parse(encodeResult(outcome, { cloudEvents: true }).value)
  check(isOutcome(result), 'a result as published', isOutcome.errors)
  const letter = encodeDeadLetter(outcome)
  check(letter !== null, 'a dead letter', rejection.code)
  if (originalSize === null) {
    // The dead letter is a request under the next id. It is rejected again, unless only its id was wrong.
    const again = parse({ ...record, value: deadLetter, headers: {} })
    const [first] = [...again.requests, ...again.rejections]
    check(first?.requestId === nextRequestId(requestId), 'the next id', [requestId, first?.requestId])
    check(again.rejections.length > 0 || message.includes('$.requestId'), 'refused again', message)
  } else {
    check(originalSize === (record.value?.length ?? 0), 'its size', originalSize)
    check(
      Buffer.from(deadLetter).equals((record.value ?? Buffer.alloc(0)).subarray(0, 900_000)),
      'its bytes',
      0,
    )
  }
}

const kindOf = ({ requests, rejections }: ParsedRecord): string => {
  if (rejections.length === 0) return 'accepted'
  return requests.length > 0 ? 'accepted in part' : `rejected: ${rejections[0]?.code}`
}

describe('the parser of records', () => {
  fuzz('answers any record with a request, rejections or both', {
    share: 0.55,
    cases: anyRecord,
    outcomeOf: record => {
      const parsed = parse(record)
      const { requests, rejections } = parsed
      check(requests.length <= 1 && requests.length + rejections.length > 0, 'an answer', [
        requests.length,
        rejections.length,
      ])
      for (const text of textsOf([requests, rejections])) check(!unprintable.test(text), 'plain text', text)
      for (const { deviceNames, route } of requests) {
        check(new Set(deviceNames).size === deviceNames.length, 'each name once', deviceNames.length)
        check(
          deviceNames.every(name => /^[A-Za-z0-9\-_@.:]{4,32}$/.test(name)),
          'good names',
          deviceNames,
        )
        routeKey(route)
      }
      check(
        new Set(rejections.map(({ id }) => id)).size === rejections.length,
        'distinct ids',
        rejections.length,
      )
      // The first 20 are enough: the others are made alike.
      for (const rejection of rejections.slice(0, 20)) checkRejection(rejection, record)
      return kindOf(parsed)
    },
  })
})
