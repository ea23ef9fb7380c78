import fc from 'fast-check'
import {
  applyClaimRules,
  type ClaimDecision,
  type ClaimedMove,
  type OtherMove,
  type OtherState,
} from '../../../src/domain/claim-rules'

const move = (acceptedOrder: number, requestId: string, more: Partial<ClaimedMove> = {}): ClaimedMove => ({
  acceptedOrder: BigInt(acceptedOrder),
  deviceName: 'dev1',
  requestId,
  attempt: 1,
  ...more,
})

const other = (acceptedOrder: number, requestId: string, state: OtherState, attempt = 1): OtherMove => ({
  ...move(acceptedOrder, requestId, { attempt }),
  state,
  waitsFor: null,
})
/** A move that waits in the re-queue of the range's own route. */
const waiting = (acceptedOrder: number, requestId: string, waitsFor: number): OtherMove => ({
  ...other(acceptedOrder, requestId, 'unfinished'),
  waitsFor: BigInt(waitsFor),
})

const decided = (range: readonly ClaimedMove[], others: readonly OtherMove[]): string[] =>
  applyClaimRules(range, others).map(decision =>
    decision.kind === 'wait' ? `wait for ${decision.waitsFor}` : decision.kind,
  )

describe('applyClaimRules', () => {
  it.each<[string, ClaimedMove[], OtherMove[], string[]]>([
    ['sends a move that has no others', [move(5, 'a')], [], ['send']],
    ['drops a repeat of an earlier move', [move(5, 'a')], [other(3, 'a', 'unfinished')], ['duplicate']],
    ['sends the earliest of repeats', [move(5, 'a')], [other(7, 'a', 'unfinished')], ['send']],
    [
      'drops a repeat of a later move that is in flight',
      [move(5, 'a')],
      [other(7, 'a', 'in-flight')],
      ['duplicate'],
    ],
    [
      'drops a repeat of a later move that has ended',
      [move(5, 'a')],
      [other(7, 'a', 'finished')],
      ['duplicate'],
    ],
    [
      'drops a repeat of a later move that is being retried',
      [move(5, 'a')],
      [other(7, 'a', 'unfinished', 2)],
      ['duplicate'],
    ],
    [
      'sends a move whose later repeat is dropped already',
      [move(5, 'a')],
      [other(7, 'a', 'duplicate')],
      ['send'],
    ],
    [
      'sends a retried move that has an earlier repeat',
      [move(5, 'a', { attempt: 2 })],
      [other(3, 'a', 'duplicate')],
      ['send'],
    ],
    [
      'sends the earlier of two repeats in one range and drops the other',
      [move(6, 'a'), move(5, 'a')],
      [],
      ['duplicate', 'send'],
    ],
    [
      'sends two requests in one range that stand in the order of acceptance',
      [move(5, 'a'), move(6, 'b')],
      [],
      ['send', 'send'],
    ],
    [
      'lets a request wait that stands in one range in front of an earlier one',
      [move(7, 'c'), move(5, 'a'), move(6, 'b'), move(8, 'd')],
      [],
      ['wait for 6', 'send', 'send', 'wait for 6'],
    ],
    ['lets a move wait for an earlier one', [move(5, 'a')], [other(3, 'b', 'unfinished')], ['wait for 3']],
    [
      'lets a move wait for the nearest of several earlier ones',
      [move(5, 'a')],
      [other(3, 'b', 'unfinished'), other(4, 'c', 'unfinished')],
      ['wait for 4'],
    ],
    ['sends a move before a later one', [move(5, 'a')], [other(7, 'b', 'unfinished')], ['send']],
    [
      'lets a move wait for a later one that is in flight',
      [move(5, 'a')],
      [other(7, 'b', 'in-flight')],
      ['wait for 7'],
    ],
    [
      'sends a move after an earlier one that has ended',
      [move(5, 'a')],
      [other(3, 'b', 'finished')],
      ['send'],
    ],
    [
      'lets a move wait for the same as its predecessor in the range',
      [move(5, 'a'), move(6, 'b')],
      [other(3, 'c', 'in-flight')],
      ['wait for 3', 'wait for 3'],
    ],
    [
      'lets a move wait for the same as its predecessor of the same route',
      [move(5, 'a')],
      [waiting(3, 'b', 1)],
      ['wait for 1'],
    ],
    [
      'lets a move wait for one that stands between it and a waiting one of its route',
      [move(5, 'a')],
      [waiting(3, 'b', 1), other(4, 'c', 'unfinished')],
      ['wait for 4'],
    ],
    [
      'lets two moves of the range wait for different ones if one outside stands between them',
      [move(5, 'a'), move(8, 'b')],
      [other(3, 'c', 'in-flight'), other(6, 'd', 'unfinished')],
      ['wait for 3', 'wait for 6'],
    ],
    [
      'sends a move behind a repeat in its range',
      [move(5, 'a'), move(6, 'b')],
      [other(3, 'a', 'finished')],
      ['duplicate', 'send'],
    ],
    [
      'sends a move while another device is in flight',
      [move(5, 'a', { deviceName: 'dev2' })],
      [other(3, 'a', 'in-flight')],
      ['send'],
    ],
  ])('%s', (_case, range, others, expected) => {
    expect(decided(range, others)).toEqual(expected)
  })

  /** The rules without short cuts: every move is compared with every other move. */
  const byPlainRules = (range: readonly ClaimedMove[], others: readonly OtherMove[]): ClaimDecision[] => {
    const decisions = new Map<bigint, ClaimDecision>()
    const inOrder = [...range].sort((a, b) => Number(a.acceptedOrder - b.acceptedOrder))
    const isRepeat = (one: ClaimedMove): boolean => {
      const mates = range.map((mate): OtherMove => ({ ...mate, state: 'unfinished', waitsFor: null }))
      const repeats = [...others, ...mates].filter(
        ({ deviceName, requestId, acceptedOrder }) =>
          deviceName === one.deviceName && requestId === one.requestId && acceptedOrder !== one.acceptedOrder,
      )
      const started = repeats.some(
        ({ state, attempt }) =>
          state === 'in-flight' || state === 'finished' || (state === 'unfinished' && attempt > 1),
      )
      return (
        one.attempt === 1 &&
        (started || repeats.some(({ acceptedOrder }) => acceptedOrder < one.acceptedOrder))
      )
    }
    const behind: OtherMove[] = others.filter(({ state }) => state === 'unfinished')
    const sent: ClaimedMove[] = []
    for (const one of inOrder) {
      if (isRepeat(one)) {
        decisions.set(one.acceptedOrder, { kind: 'duplicate' })
        continue
      }
      const nearest = behind
        .filter(
          ({ deviceName, acceptedOrder }) =>
            deviceName === one.deviceName && acceptedOrder < one.acceptedOrder,
        )
        .reduce<OtherMove | null>((a, b) => (a !== null && a.acceptedOrder > b.acceptedOrder ? a : b), null)
      const flying = others.find(
        ({ deviceName, state }) => deviceName === one.deviceName && state === 'in-flight',
      )
      const before = sent.findLast(({ deviceName }) => deviceName === one.deviceName)
      const isInFront = before !== undefined && range.indexOf(one) < range.indexOf(before)
      const waitsFor =
        nearest?.waitsFor ??
        nearest?.acceptedOrder ??
        flying?.acceptedOrder ??
        (isInFront ? before.acceptedOrder : null)
      if (waitsFor === null) sent.push(one)
      decisions.set(one.acceptedOrder, waitsFor === null ? { kind: 'send' } : { kind: 'wait', waitsFor })
      if (waitsFor !== null) behind.push({ ...one, state: 'unfinished', waitsFor })
    }
    return range.map(one => decisions.get(one.acceptedOrder) ?? { kind: 'send' })
  }

  it('decides as the plain rules do', () => {
    const anyMove = fc.record({
      deviceName: fc.constantFrom('dev1', 'dev2'),
      requestId: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      attempt: fc.constantFrom(1, 1, 1, 2),
      /** null: the move is in the range. */
      state: fc.constantFrom<OtherState | null>(
        null,
        null,
        'unfinished',
        'in-flight',
        'finished',
        'duplicate',
      ),
      waitsFor: fc.constantFrom(null, null, 100n, 101n),
    })
    const moves = fc
      .array(anyMove, { minLength: 1, maxLength: 14 })
      .chain(all => fc.shuffledSubarray(all.map((one, index) => ({ ...one, acceptedOrder: BigInt(index) }))))
    fc.assert(
      fc.property(moves, all => {
        const range = all.filter(({ state }) => state === null)
        const others = all.flatMap(({ state, waitsFor, ...one }): OtherMove[] =>
          state === null ? [] : [{ ...one, state, waitsFor: state === 'unfinished' ? waitsFor : null }],
        )
        expect(applyClaimRules(range, others)).toEqual(byPlainRules(range, others))
      }),
      { numRuns: 3_000 },
    )
  })

  /** Of one device. Acceptances become visible in any order, and are claimed in any ranges and retried at any time. */
  const history = fc.record({
    requests: fc.array(
      fc.record({ requestId: fc.constantFrom('a', 'b', 'c', 'd', 'e'), route: fc.constantFrom(1, 2) }),
      { minLength: 1, maxLength: 7 },
    ),
    choices: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
  })

  interface Acceptance {
    readonly acceptedOrder: number
    readonly requestId: string
    readonly route: number
    state: 'unseen' | 'waiting' | OtherState
    waitsFor: bigint | null
    attempt: number
    everSent: boolean
  }

  /** Plays a history to its end. Throws if two jobs have the device at once or a request overtakes an earlier one. */
  const play = (
    requests: readonly { readonly requestId: string; readonly route: number }[],
    choices: readonly number[],
  ): Acceptance[] => {
    const all = requests.map(
      (request, index): Acceptance => ({
        ...request,
        acceptedOrder: index,
        state: 'unseen',
        waitsFor: null,
        attempt: 1,
        everSent: false,
      }),
    )
    const release = (gone: Acceptance): void => {
      for (const one of all)
        if (one.waitsFor === BigInt(gone.acceptedOrder))
          Object.assign(one, { state: 'unfinished', waitsFor: null })
    }
    /** Claims a range, which is of one route. */
    const claim = (claimable: readonly Acceptance[], route: number): void => {
      const range = claimable.filter(one => one.route === route)
      const others = all.flatMap(({ state, waitsFor, ...one }): OtherMove[] =>
        range.some(({ acceptedOrder }) => acceptedOrder === one.acceptedOrder) || state === 'unseen'
          ? []
          : [
              {
                ...other(
                  one.acceptedOrder,
                  one.requestId,
                  state === 'waiting' ? 'unfinished' : state,
                  one.attempt,
                ),
                waitsFor: one.route === route ? waitsFor : null,
              },
            ],
      )
      const moves = range.map(({ acceptedOrder, requestId, attempt }) =>
        move(acceptedOrder, requestId, { attempt }),
      )
      const wasInFlight = all.some(({ state }) => state === 'in-flight')
      const decisions = applyClaimRules(moves, others)
      range.forEach((one, index) => {
        const decision = decisions[index]
        if (decision?.kind === 'wait') Object.assign(one, { state: 'waiting', waitsFor: decision.waitsFor })
        else if (decision?.kind === 'duplicate') one.state = 'duplicate'
        else {
          if (wasInFlight) throw new Error('sent while another job has the device')
          const earlier = all.filter(
            ({ acceptedOrder, state }) =>
              acceptedOrder < one.acceptedOrder && (state === 'waiting' || state === 'unfinished'),
          )
          if (earlier.some(mate => !range.includes(mate) || mate.state === 'waiting'))
            throw new Error('overtook an earlier request')
          Object.assign(one, { state: 'in-flight', everSent: true })
        }
      })
      for (const one of range) if (one.state === 'duplicate') release(one)
    }
    const settle = (isFinal: boolean): void => {
      const flying = all.filter(({ state }) => state === 'in-flight')
      for (const one of flying)
        Object.assign(
          one,
          isFinal ? { state: 'finished' } : { state: 'unfinished', attempt: one.attempt + 1 },
        )
      for (const one of flying) release(one)
    }
    const step = (choice: number): void => {
      const unseen = all.filter(({ state }) => state === 'unseen')
      const claimable = all.filter(({ state }) => state === 'unfinished')
      const appear = unseen[choice % Math.max(unseen.length, 1)]
      if (choice % 3 === 0 && appear !== undefined) appear.state = 'unfinished'
      else if (choice % 3 === 1)
        claim(
          claimable.filter((_one, index) => ((choice >> 3) & (1 << index)) === 0),
          1 + ((choice >> 2) % 2),
        )
      else settle(choice % 2 === 0)
    }
    for (const choice of choices) step(choice)
    for (const one of all) if (one.state === 'unseen') one.state = 'unfinished'
    // From here on everything is claimed and ends for good. A deadlock would leave something unfinished.
    for (let round = 0; round <= 2 * all.length; round += 1)
      for (const route of [1, 2]) {
        claim(
          all.filter(({ state }) => state === 'unfinished'),
          route,
        )
        settle(true)
      }
    return all
  }

  it('finishes exactly one of each set of repeats, one job at a time, in the order of acceptance', () => {
    fc.assert(
      fc.property(history, ({ requests, choices }) => {
        const ended = play(requests, choices)
        for (const requestId of new Set(requests.map(request => request.requestId))) {
          const states = ended.filter(one => one.requestId === requestId).map(({ state }) => state)
          expect(states.filter(state => state === 'finished')).toHaveLength(1)
          expect(states.filter(state => state === 'duplicate')).toHaveLength(states.length - 1)
        }
        // A move that was sent is never called a repeat afterwards.
        expect(ended.filter(({ everSent, state }) => everSent && state !== 'finished')).toEqual([])
      }),
      { numRuns: 3_000 },
    )
  })
})
