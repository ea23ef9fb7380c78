import type { Fingerprint } from '../../../src/domain/fingerprint'
import { type LogState, offsetToCompare, placeOf } from '../../../src/kafka/consumer/place'
import { storedAt } from '../../support/source-book'

const log: LogState = { low: 10n, high: 20n, committed: null, there: 'unasked', isCompacted: false }
const last: Fingerprint = { offset: 14n, timestampMs: 5, digest: 'aa' }

const place = (stored: ReturnType<typeof storedAt> | undefined, more: Partial<LogState> = {}) =>
  placeOf('requests/0', stored, { ...log, ...more })

describe('the place where a partition is read on', () => {
  it('is the beginning where the journal knows nothing of it', () => {
    expect(place(undefined)).toEqual({ kind: 'at', offset: 10n, continuesFrom: null, life: 1 })
  })

  it.each([10n, 15n, 20n])('is the position %s of the journal within the log', next => {
    expect(place(storedAt(next))).toMatchObject({ kind: 'at', offset: next, continuesFrom: next })
  })

  it('is after a gap where records were deleted before they were read', () => {
    expect(place(storedAt(7n))).toEqual({ kind: 'after-gap', gap: { from: 7n, to: 10n }, life: 1 })
  })

  it('is in another log where the position lies beyond the end, which may be a broker that does not know its end yet', () => {
    const found = place(storedAt(21n))
    expect(found).toMatchObject({ kind: 'another-log', isCertain: false })
    expect(found).toMatchObject({ reason: expect.stringContaining('the journal stands at offset 21') })
  })

  it.each([
    ['the same record lies there', last, 'at'],
    ['the record there has another time', { ...last, timestampMs: 6 }, 'another-log'],
    ['the record there has another content', { ...last, digest: 'bb' }, 'another-log'],
    ['no record lies there', null, 'another-log'],
  ] as const)('where %s is %s', (_, there, kind) => {
    const found = place(storedAt(15n, { last }), { there })
    expect(found.kind).toBe(kind)
    if (found.kind === 'another-log') expect(found.isCertain).toBe(true)
  })

  it('is the position where compaction may have taken the last record away', () => {
    expect(place(storedAt(15n, { last }), { there: null, isCompacted: true }).kind).toBe('at')
  })

  it('is the position where retention has taken the last record away', () => {
    expect(place(storedAt(10n, { last: { ...last, offset: 9n } })).kind).toBe('at')
  })

  it('is nowhere while the partition is stopped, whatever lies there now', () => {
    expect(place(storedAt(15n, { stopped: 'why' }))).toEqual({ kind: 'stopped', reason: 'why' })
  })

  it.each([
    ['the journal stands before the commit', storedAt(15n), 16n, 'lost'],
    ['the journal knows nothing, and the group has committed', undefined, 16n, 'lost'],
    ['both are the same', storedAt(15n), 15n, 'at'],
    ['a restore was accepted at that commit', storedAt(15n, { committedBefore: 16n }), 16n, 'at'],
    ['more was committed since a restore was accepted', storedAt(15n, { committedBefore: 16n }), 17n, 'lost'],
  ])('where %s is %s', (_, stored, committed, kind) => {
    expect(place(stored, { committed }).kind).toBe(kind)
  })

  it('needs the last record only where it can still be there', () => {
    expect(offsetToCompare(storedAt(15n, { last }), log)).toBe(14n)
    expect(offsetToCompare(storedAt(15n), log)).toBeNull()
    expect(offsetToCompare(storedAt(15n, { last }), { low: 15n, high: 20n })).toBeNull()
    expect(offsetToCompare(storedAt(15n, { last }), { low: 0n, high: 14n })).toBeNull()
    expect(offsetToCompare(storedAt(15n, { last, stopped: 'why' }), log)).toBeNull()
    expect(offsetToCompare(undefined, log)).toBeNull()
  })
})
