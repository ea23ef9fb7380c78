import fc from 'fast-check'
import {
  applyClaimRules,
  type ClaimedMove,
  type OtherMove,
  type OtherState,
} from '../../../src/domain/claim-rules'

const move = (accepted: number, requestId: string, more: Partial<ClaimedMove> = {}): ClaimedMove => ({
  accepted: BigInt(accepted),
  deviceName: 'dev1',
  requestId,
  attempt: 1,
  ...more,
})

const other = (accepted: number, requestId: string, state: OtherState, attempt = 1): OtherMove => ({
  ...move(accepted, requestId, { attempt }),
  state,
})

const decided = (range: readonly ClaimedMove[], others: readonly OtherMove[]): string[] =>
  applyClaimRules(range, others).map(decision =>
    decision.kind === 'wait' ? `wait for ${decision.waitsFor}` : decision.kind,
  )

describe('applyClaimRules', () => {
  it.each<[string, ClaimedMove[], OtherMove[], string[]]>([
    ['alone', [move(5, 'a')], [], ['send']],
    ['a repeat of an earlier one', [move(5, 'a')], [other(3, 'a', 'unfinished')], ['duplicate']],
    ['the earliest of repeats', [move(5, 'a')], [other(7, 'a', 'unfinished')], ['send']],
    ['a repeat of a later one already sent', [move(5, 'a')], [other(7, 'a', 'in-flight')], ['duplicate']],
    ['a repeat of a later one that has ended', [move(5, 'a')], [other(7, 'a', 'finished')], ['duplicate']],
    [
      'a repeat of a later one being retried',
      [move(5, 'a')],
      [other(7, 'a', 'unfinished', 2)],
      ['duplicate'],
    ],
    ['with a later repeat already left out', [move(5, 'a')], [other(7, 'a', 'duplicate')], ['send']],
    [
      'retried, with an earlier repeat',
      [move(5, 'a', { attempt: 2 })],
      [other(3, 'a', 'duplicate')],
      ['send'],
    ],
    ['repeats in one range', [move(6, 'a'), move(5, 'a')], [], ['duplicate', 'send']],
    ['two requests in one range', [move(6, 'b'), move(5, 'a')], [], ['send', 'send']],
    ['behind an earlier one', [move(5, 'a')], [other(3, 'b', 'unfinished')], ['wait for 3']],
    [
      'behind several: the nearest',
      [move(5, 'a')],
      [other(3, 'b', 'unfinished'), other(4, 'c', 'unfinished')],
      ['wait for 4'],
    ],
    ['before a later one', [move(5, 'a')], [other(7, 'b', 'unfinished')], ['send']],
    ['with a later one in flight', [move(5, 'a')], [other(7, 'b', 'in-flight')], ['wait for 7']],
    ['after one that has ended', [move(5, 'a')], [other(3, 'b', 'finished')], ['send']],
    [
      'behind one of its range that waits',
      [move(5, 'a'), move(6, 'b')],
      [other(3, 'c', 'in-flight')],
      ['wait for 3', 'wait for 5'],
    ],
    [
      'behind a repeat of its range',
      [move(5, 'a'), move(6, 'b')],
      [other(3, 'a', 'finished')],
      ['duplicate', 'send'],
    ],
    ['another device', [move(5, 'a', { deviceName: 'dev2' })], [other(3, 'a', 'in-flight')], ['send']],
  ])('%s', (_case, range, others, expected) => {
    expect(decided(range, others)).toEqual(expected)
  })

  /** One device: acceptances become visible in any order, are claimed in any ranges, retried at will. */
  const history = fc.record({
    requests: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 7 }),
    choices: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
  })

  interface Acceptance {
    readonly accepted: number
    readonly requestId: string
    state: 'unseen' | 'waiting' | OtherState
    waitsFor: bigint | null
    attempt: number
    everSent: boolean
  }

  /** Plays a history to its end; throws when the rules let two be in flight at once. */
  const play = (requests: readonly string[], choices: readonly number[]): Acceptance[] => {
    const all = requests.map(
      (requestId, index): Acceptance => ({
        accepted: index,
        requestId,
        state: 'unseen',
        waitsFor: null,
        attempt: 1,
        everSent: false,
      }),
    )
    const release = (gone: Acceptance): void => {
      for (const one of all)
        if (one.waitsFor === BigInt(gone.accepted))
          Object.assign(one, { state: 'unfinished', waitsFor: null })
    }
    const claim = (range: readonly Acceptance[]): void => {
      const others = all.flatMap(one =>
        range.includes(one) || one.state === 'unseen'
          ? []
          : [
              other(
                one.accepted,
                one.requestId,
                one.state === 'waiting' ? 'unfinished' : one.state,
                one.attempt,
              ),
            ],
      )
      const moves = range.map(({ accepted, requestId, attempt }) => move(accepted, requestId, { attempt }))
      const wasInFlight = all.some(({ state }) => state === 'in-flight')
      const decisions = applyClaimRules(moves, others)
      range.forEach((one, index) => {
        const decision = decisions[index]
        if (decision?.kind === 'wait') Object.assign(one, { state: 'waiting', waitsFor: decision.waitsFor })
        else if (decision?.kind === 'duplicate') one.state = 'duplicate'
        else {
          if (wasInFlight) throw new Error('sent while another job has the device')
          const earlier = all.filter(
            ({ accepted, state }) =>
              accepted < one.accepted && (state === 'waiting' || state === 'unfinished'),
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
        claim(claimable.filter((_one, index) => ((choice >> 2) & (1 << index)) === 0))
      else settle(choice % 2 === 0)
    }
    for (const choice of choices) step(choice)
    for (const one of all) if (one.state === 'unseen') one.state = 'unfinished'
    // From here on everything is claimed and ends for good: a deadlock would leave something unfinished.
    for (let round = 0; round <= 2 * all.length; round += 1) {
      claim(all.filter(({ state }) => state === 'unfinished'))
      settle(true)
    }
    return all
  }

  it('finishes exactly one of each set of repeats, one job at a time, in the order of acceptance', () => {
    fc.assert(
      fc.property(history, ({ requests, choices }) => {
        const ended = play(requests, choices)
        for (const requestId of new Set(requests)) {
          const states = ended.filter(one => one.requestId === requestId).map(({ state }) => state)
          expect(states.filter(state => state === 'finished')).toHaveLength(1)
          expect(states.filter(state => state === 'duplicate')).toHaveLength(states.length - 1)
        }
        // What was sent once is never called a repeat afterwards.
        expect(ended.filter(({ everSent, state }) => everSent && state !== 'finished')).toEqual([])
      }),
      { numRuns: 3_000 },
    )
  })
})
