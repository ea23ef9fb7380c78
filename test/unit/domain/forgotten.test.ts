import fc from 'fast-check'
import {
  type ForgottenJob,
  type ForgottenResult,
  looksLike,
  mayBeForgotten,
  type PendingMove,
  tellMoves,
  toldVerdicts,
} from '../../../src/domain/forgotten'
import { routeTo } from '../../support/journal-requests'

const route = routeTo('iot-target')
const job = (more: Partial<ForgottenJob> = {}): ForgottenJob => ({
  providerJobId: 'A',
  productKey: route.productKey,
  sourceInstanceId: route.sourceInstanceId,
  strategy: route.strategy,
  targetInstanceIds: route.targetInstanceIds,
  targetUid: null,
  total: 1,
  status: 2,
  createdAt: 1_000_000,
  ...more,
})

const minute = 60_000
const move = (order: number, more: Partial<PendingMove> = {}): PendingMove => ({
  seq: BigInt(order),
  acceptedOrder: BigInt(order),
  deviceName: 'dev1',
  attempt: 1,
  recordedAt: 0,
  ...more,
})
/** A result of the job created after so many minutes. */
const result = (minutes: number, code = '200', more: Partial<ForgottenResult> = {}): ForgottenResult => ({
  providerJobId: `J${minutes}`,
  createdAt: minutes * minute,
  deviceName: 'dev1',
  code,
  message: null,
  isUsed: false,
  ...more,
})
const told = (moves: readonly PendingMove[], results: readonly ForgottenResult[]) =>
  tellMoves(moves, results).map(({ move: { acceptedOrder }, by }) => [
    Number(acceptedOrder),
    by.providerJobId,
  ])

describe('a listed job that the database does not know', () => {
  it('may be forgotten if it was created after the last known job, or up to 30 s before by another clock', () => {
    expect(mayBeForgotten(job(), null)).toBe(true)
    expect(mayBeForgotten(job(), 1_030_000)).toBe(true)
    expect(mayBeForgotten(job(), 1_030_001)).toBe(false)
  })

  it('looks like every route that List would show alike', () => {
    expect(looksLike(job(), { ...route, priority: 'urgent', targetUid: '7' })).toBe(true)
    expect(looksLike(job({ targetInstanceIds: [] }), route)).toBe(true)
    expect(looksLike(job({ productKey: 'a1Other' }), route)).toBe(false)
    expect(looksLike(job({ targetInstanceIds: ['iot-else'] }), route)).toBe(false)
  })
})

describe('the result of a forgotten job', () => {
  it('tells the move of its device, and no other', () => {
    expect(told([move(1), move(2, { deviceName: 'dev2' })], [result(5)])).toEqual([[1, 'J5']])
  })

  it('tells no move that was requested after the job was created, except within 30 s of other clocks', () => {
    expect(told([move(1, { recordedAt: 5 * minute + 30_000 })], [result(5)])).toHaveLength(1)
    expect(told([move(1, { recordedAt: 5 * minute + 30_001 })], [result(5)])).toEqual([])
  })

  it('tells requests in the order of acceptance, whatever the order of the moves and the results', () => {
    expect(told([move(2), move(1)], [result(7), result(5)])).toEqual([
      [1, 'J5'],
      [2, 'J7'],
    ])
  })

  it('tells again that the device has moved, but not that it failed', () => {
    expect(told([move(1), move(2)], [result(5)])).toEqual([
      [1, 'J5'],
      [2, 'J5'],
    ])
    expect(told([move(1), move(2)], [result(5, '9500')])).toEqual([[1, 'J5']])
    expect(told([move(1, { attempt: 2 })], [result(5, '9500', { isUsed: true })])).toEqual([])
  })

  it('tells later requests by no older job, and each failure once', () => {
    const codes = fc.constantFrom('200', '9500', 'iot.device.NotExistedDevice')
    const jobs = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 20 }), codes, fc.boolean()), {
      selector: ([minutes]) => minutes,
      maxLength: 6,
    })
    const times = fc.array(fc.integer({ min: 0, max: 20 * minute }), { maxLength: 6 })
    fc.assert(
      fc.property(jobs, times, (made, recorded) => {
        const moves = recorded.map((recordedAt, index) => move(index + 1, { recordedAt }))
        const results = made.map(([minutes, code, isUsed]) => result(minutes, code, { isUsed }))
        const found = tellMoves(moves, results)
        const createdAt = found.map(({ by }) => by.createdAt)
        expect(createdAt).toEqual([...createdAt].sort((a, b) => a - b))
        const failures = found.filter(({ by }) => by.code !== '200').map(({ by }) => by)
        expect(new Set(failures).size).toBe(failures.length)
        expect(failures.every(({ isUsed }) => !isUsed)).toBe(true)
        // Where every job has moved the device, nothing is sent for a request from before the last of them.
        if (failures.length > 0 || results.some(({ code }) => code !== '200')) return
        const isTold = new Set(found.map(({ move: { seq } }) => seq))
        const latest = Math.max(...results.map(by => by.createdAt))
        for (const { seq, recordedAt } of moves) if (recordedAt <= latest) expect(isTold.has(seq)).toBe(true)
      }),
    )
  })

  it('ends a move as a settlement does, and lets what may be tried again follow at once', () => {
    const verdicts = (attempt: number, code: string) =>
      toldVerdicts(tellMoves([move(1, { attempt })], [result(5, code)]), 3).map(
        ({ outcome, final, retryInMs }) => [outcome, final, retryInMs],
      )
    expect(verdicts(1, '200')).toEqual([['moved', true, null]])
    expect(verdicts(1, 'iot.device.NotExistedDevice')).toEqual([['failed', true, null]])
    expect(verdicts(2, '9500')).toEqual([['failed', false, 0]])
    expect(verdicts(3, '9500')).toEqual([['failed', true, null]])
  })
})
