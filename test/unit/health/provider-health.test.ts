import { asyncScheduler } from 'rxjs'
import type { FlowEvent } from '../../../src/domain/flow-event'
import { createProviderBook, type ProviderBook, troubleText } from '../../../src/health/provider-health'
import { at, virtually } from '../operators/virtual-time'

const call = (result: string, code: string | null, operation = 'list'): FlowEvent => ({
  kind: 'call-ended',
  operation,
  result,
  code,
  tookMs: 100,
})
const lost = call('unanswered', 'deadline')
const refused = call('not-sent', 'ECONNREFUSED')
const iso = (ms: number): string => new Date(ms).toISOString()

/** Notices each event at its virtual instant. Returns what the book reports, each with its instant. */
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

describe('trouble with the provider', () => {
  it('is reported once, as lasting since the first failed call was sent, and its end is reported once', () => {
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

  it('shows since when it lasts, its code, and when the provider was last tried', () => {
    const book = createProviderBook()
    noticed(book, [1_000, lost], [9_000, refused])
    const trouble = book.trouble()
    expect(trouble).toEqual({
      kind: 'unreachable',
      since: iso(900),
      lastAt: iso(9_000),
      calls: 2,
      operation: 'list',
      code: 'ECONNREFUSED',
    })
    expect(trouble && troubleText(trouble)).toBe(
      `the provider cannot be reached since ${iso(900)}: ECONNREFUSED (list, last tried ${iso(9_000)})`,
    )
  })

  it('is reported again when the code changes', () => {
    const codes = noticed(createProviderBook(), [0, lost], [6_000, lost], [7_000, refused], [8_000, refused])
    expect(codes.map(([ms, event]) => [ms, 'code' in event ? event.code : null])).toEqual([
      [6_000, 'deadline'],
      [7_000, 'ECONNREFUSED'],
    ])
  })

  it('is not reported after one lost answer, after several within seconds, or while other calls are answered', () => {
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

  it('is reported as throttling if the calls are throttled', () => {
    const throttled = call('throttled', 'Throttling.User')
    const news = noticed(createProviderBook(), [0, throttled], [6_000, throttled], [7_000, throttled])
    expect(news.map(([ms, { kind }]) => [ms, kind])).toEqual([[6_000, 'provider-throttles']])
  })

  it('includes a refusal of the account until the operation works', () => {
    const book = createProviderBook()
    const event = { kind: 'account-refused', operation: 'create', code: 'Forbidden.RAM', pauseMs: 1 } as const
    noticed(book, [0, event], [1, call('ok', null, 'list')])
    expect(book.refusal()).toEqual({ operation: 'create', code: 'Forbidden.RAM' })
    noticed(book, [2, call('ok', null, 'create')])
    expect(book.refusal()).toBeNull()
  })

  it('is forgotten by a process that no longer calls', () => {
    const book = createProviderBook()
    expect(
      noticed(book, [0, lost], [6_000, lost], [7_000, { kind: 'standing-by', holder: 'b' }]),
    ).toHaveLength(1)
    expect(book.trouble()).toBeNull()
  })
})
