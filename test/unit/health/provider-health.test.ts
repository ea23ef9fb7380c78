import { asyncScheduler } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import { createProviderBook, type ProviderBook, troubleText } from '../../../src/health/provider-health'
import { at, virtually } from '../operators/virtual-time'

const call = (result: string, code: string | null, operation = 'list'): FlowEvent => ({
  ...{ kind: 'call-ended', operation, result, code, tookMs: 100 },
})
const lost = call('unanswered', 'deadline')
const refused = call('not-sent', 'ECONNREFUSED')
const iso = (ms: number): string => new Date(ms).toISOString()

/** Notices each at its virtual instant; what that made of it comes back with its instant. */
const noticed = (
  book: ProviderBook,
  ...events: readonly (readonly [atMs: number, event: FlowEvent])[]
): (readonly [number, FlowEvent])[] => {
  const news: (readonly [number, FlowEvent])[] = []
  virtually(() => {
    for (const [ms, event] of events)
      at(ms, () => {
        const told = book.notice(event)
        if (told !== null) news.push([asyncScheduler.now(), told])
      })
  })
  return news
}

describe('whether the provider answers', () => {
  it('is told once it has not for a while, since the first call that failed had left, and once it does again', () => {
    const book = createProviderBook()
    const down = { kind: 'provider-unreachable', since: iso(900), operation: 'list', code: 'ECONNREFUSED' }
    const news = noticed(
      book,
      ...[1_000, 2_000, 4_000, 8_000, 16_000].map(ms => [ms, refused] as const),
      [20_000, call('ok', null, 'create')],
      [21_000, call('ok', null)],
    )
    expect(news).toEqual([
      [8_000, down],
      [20_000, { kind: 'provider-answers', after: 'unreachable', since: iso(900) }],
    ])
    expect(book.trouble()).toBeNull()
  })

  it('says since when, with what code and when it was last tried', () => {
    const book = createProviderBook()
    noticed(book, [1_000, lost], [9_000, refused])
    const trouble = book.trouble()
    expect(trouble).toEqual({
      ...{ kind: 'unreachable', since: iso(900), lastAt: iso(9_000) },
      ...{ calls: 2, operation: 'list', code: 'ECONNREFUSED' },
    })
    expect(trouble && troubleText(trouble)).toBe(
      `the provider cannot be reached since ${iso(900)}: ECONNREFUSED (list, last tried ${iso(9_000)})`,
    )
  })

  it('is told again when the code is another one', () => {
    const codes = noticed(createProviderBook(), [0, lost], [6_000, lost], [7_000, refused], [8_000, refused])
    expect(codes.map(([ms, event]) => [ms, 'code' in event ? event.code : null])).toEqual([
      [6_000, 'deadline'],
      [7_000, 'ECONNREFUSED'],
    ])
  })

  it('is in no doubt after one lost answer, nor after several within seconds, nor while others are answered', () => {
    const book = createProviderBook()
    const one = { ...lost, tookMs: 20_000 } as FlowEvent
    expect(noticed(book, [20_000, one], [21_000, call('ok', null)])).toEqual([])
    expect(noticed(createProviderBook(), [0, lost], [1_000, lost], [4_000, lost])).toEqual([])
    const mixed = [0, 10_000, 20_000].flatMap(
      ms =>
        [
          [ms, lost],
          [ms + 1, call('batch-refused', 'iot.x')],
        ] as const,
    )
    expect(noticed(createProviderBook(), ...mixed)).toEqual([])
  })

  it('tells throttling from being out of reach', () => {
    const throttled = call('throttled', 'Throttling.User')
    const news = noticed(createProviderBook(), [0, throttled], [6_000, throttled], [7_000, throttled])
    expect(news.map(([ms, { kind }]) => [ms, kind])).toEqual([[6_000, 'provider-throttles']])
  })

  it('knows that the account is refused until the operation works', () => {
    const book = createProviderBook()
    const event = { kind: 'account-refused', operation: 'create', code: 'Forbidden.RAM', pauseMs: 1 } as const
    noticed(book, [0, event], [1, call('ok', null, 'list')])
    expect(book.refusal()).toEqual({ operation: 'create', code: 'Forbidden.RAM' })
    noticed(book, [2, call('ok', null, 'create')])
    expect(book.refusal()).toBeNull()
  })

  it('is not known to a process that no longer calls', () => {
    const book = createProviderBook()
    expect(
      noticed(book, [0, lost], [6_000, lost], [7_000, { kind: 'standing-by', holder: 'b' }]),
    ).toHaveLength(1)
    expect(book.trouble()).toBeNull()
  })
})
