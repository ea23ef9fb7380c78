import fc from 'fast-check'
import type { CodeClass, DeviceResult } from '../../../src/domain/device-results'
import type { BatchMove } from '../../../src/domain/job'
import { deriveVerdicts, refusedVerdicts, type SettlementInput } from '../../../src/domain/settlement'

const policy = { maxAttempts: 3, backoffMs: 30_000, backoffMaxMs: 3_600_000 }
const classes: Readonly<Record<string, CodeClass>> = {
  '200': 'moved',
  '403': 'permanent',
  '500': 'retryable',
}
const classify = (code: string): CodeClass => classes[code] ?? 'unknown'

const move = (seq: number, deviceName: string, attempt = 1): BatchMove => ({
  seq: BigInt(seq),
  deviceName,
  attempt,
})
const row = (code: string, message: string | null = null): DeviceResult => ({ code, message })

const settle = (input: Partial<SettlementInput>) =>
  deriveVerdicts({
    moves: [],
    rows: new Map(),
    fates: new Map(),
    ended: 'completed',
    policy,
    classify,
    random: () => 1,
    ...input,
  })

describe('deriveVerdicts', () => {
  it('makes the move of a moved device final, and ignores the message of its row', () => {
    const { verdicts, unaccounted } = settle({
      moves: [move(1, 'dev1')],
      rows: new Map([['dev1', row('200', 'success')]]),
    })
    expect(verdicts).toEqual([
      { seq: 1n, outcome: 'moved', final: true, code: '200', message: null, retryInMs: null },
    ])
    expect(unaccounted).toBe(0)
  })

  it('fails a move with a permanent code for good at the first attempt', () => {
    const { verdicts } = settle({
      moves: [move(1, 'dev1')],
      rows: new Map([['dev1', row('403', 'no right')]]),
    })
    expect(verdicts).toEqual([
      { seq: 1n, outcome: 'failed', final: true, code: '403', message: 'no right', retryInMs: null },
    ])
  })

  it.each(['500', 'never-seen'])('re-queues a move with code %s while attempts last', code => {
    const moves = [move(1, 'dev1', 1), move(2, 'dev2', 2), move(3, 'dev3', 3), move(4, 'dev4', 4)]
    const rows = new Map(moves.map(({ deviceName }) => [deviceName, row(code, 'busy')]))
    expect(settle({ moves, rows }).verdicts).toEqual([
      { seq: 1n, outcome: 'failed', final: false, code, message: 'busy', retryInMs: 30_000 },
      { seq: 2n, outcome: 'failed', final: false, code, message: 'busy', retryInMs: 60_000 },
      { seq: 3n, outcome: 'failed', final: true, code, message: 'busy', retryInMs: null },
      { seq: 4n, outcome: 'failed', final: true, code, message: 'busy', retryInMs: null },
    ])
  })

  it('fails a device without a row in a completed job for good, because it may have moved', () => {
    const { verdicts, unaccounted } = settle({
      moves: [move(1, 'dev1'), move(2, 'dev2')],
      rows: new Map([['dev2', row('200')]]),
    })
    expect(verdicts[0]).toMatchObject({
      seq: 1n,
      outcome: 'failed',
      final: true,
      code: 'unknown',
      retryInMs: null,
    })
    expect(verdicts[0]?.message).toMatch(/may have moved/)
    expect(unaccounted).toBe(1)
  })

  it.each([
    ['completed', 'not-moved', 'unknown', true],
    ['interrupted', 'interrupted', 'interrupted', false],
  ] as const)(
    'decides by look-ups on devices without a row in a job that is %s',
    (ended, elsewhereCode, doubtfulCode, doubtfulIsFinal) => {
      const { verdicts, unaccounted } = settle({
        ended,
        moves: [move(1, 'dev1'), move(2, 'dev2'), move(3, 'dev2', 3), move(4, 'dev3'), move(5, 'dev4')],
        rows: new Map([['dev4', row('500')]]),
        fates: new Map([
          ['dev1', 'moved'],
          ['dev2', 'elsewhere'],
          ['dev3', 'cannot-tell'],
          // The row in the file outweighs the look-up.
          ['dev4', 'moved'],
        ]),
      })
      expect(verdicts.map(({ outcome, final, code }) => [outcome, final, code])).toEqual([
        ['moved', true, '200'],
        ['failed', false, elsewhereCode],
        ['failed', true, elsewhereCode],
        ['failed', doubtfulIsFinal, doubtfulCode],
        ['failed', false, '500'],
      ])
      expect(verdicts[0]?.message).toMatch(/looked up/)
      expect(unaccounted).toBe(4)
    },
  )

  it('re-queues a device without a row in an interrupted job while attempts last', () => {
    const { verdicts, unaccounted } = settle({
      ended: 'interrupted',
      moves: [move(1, 'dev1', 1), move(2, 'dev2', 3), move(3, 'dev3')],
      rows: new Map([['dev3', row('200')]]),
    })
    expect(verdicts.map(({ outcome, final, code, retryInMs }) => [outcome, final, code, retryInMs])).toEqual([
      ['failed', false, 'interrupted', 30_000],
      ['failed', true, 'interrupted', null],
      ['moved', true, '200', null],
    ])
    expect(verdicts[0]?.message).toMatch(/interrupted/)
    expect(unaccounted).toBe(2)
  })

  it('decides two moves of one device by the same row, each by its own attempts', () => {
    const { verdicts } = settle({
      moves: [move(1, 'dev1', 1), move(9, 'dev1', 3)],
      rows: new Map([['dev1', row('500')]]),
    })
    expect(verdicts.map(({ seq, final, code }) => [seq, final, code])).toEqual([
      [1n, false, '500'],
      [9n, true, '500'],
    ])
  })

  it('lets moves that failed together come due together', () => {
    let draws = 0
    const random = (): number => {
      draws += 1
      return draws / 1_000
    }
    const moves = Array.from({ length: 100 }, (_, index) => move(index, `dev${index}`))
    const { verdicts } = settle({ moves, ended: 'interrupted', random })
    expect(new Set(verdicts.map(({ retryInMs }) => retryInMs)).size).toBe(1)
  })

  it('gives every move one consistent verdict, in order, whatever the file holds', () => {
    const name = fc.constantFrom('dev1', 'dev2', 'dev3', 'dev4', 'stranger')
    const code = fc.constantFrom('200', '403', '500', 'odd')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.integer({ min: 1, max: 5 }))),
        fc.array(fc.tuple(name, code)),
        fc.constantFrom('completed' as const, 'interrupted' as const),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (devices, file, ended, random) => {
          const moves = devices.map(([deviceName, attempt], index) => move(index, deviceName, attempt))
          const rows = new Map<string, DeviceResult>(
            file.map(([deviceName, value]) => [deviceName, row(value)]),
          )
          const { verdicts, unaccounted } = settle({ moves, rows, ended, random: () => random })
          expect(verdicts.map(({ seq }) => seq)).toEqual(moves.map(({ seq }) => seq))
          expect(unaccounted).toBe(moves.filter(({ deviceName }) => !rows.has(deviceName)).length)
          for (const [index, verdict] of verdicts.entries()) {
            expect(verdict.final).toBe(verdict.retryInMs === null)
            expect(verdict.outcome === 'moved').toBe(verdict.code === '200')
            if (!verdict.final) expect(moves[index]?.attempt).toBeLessThan(policy.maxAttempts)
          }
        },
      ),
    )
  })
})

describe('refusedVerdicts', () => {
  it('fails every move for good, with the code of the refusal', () => {
    expect(
      refusedVerdicts([move(1, 'dev1', 1), move(2, 'dev2', 2)], 'iot.prod.NotExistedProduct', 'no product'),
    ).toEqual(
      [1n, 2n].map(seq => ({
        seq,
        outcome: 'failed',
        final: true,
        code: 'iot.prod.NotExistedProduct',
        message: 'no product',
        retryInMs: null,
      })),
    )
  })
})

describe('deriveVerdicts, of an interrupted job without a result file,', () => {
  it('re-queues every move while attempts last', () => {
    const { verdicts } = deriveVerdicts({
      moves: [move(1, 'dev1', 1), move(2, 'dev2', 3)],
      rows: new Map(),
      fates: new Map(),
      ended: 'interrupted',
      policy,
      classify,
      random: () => 0,
    })
    expect(verdicts.map(({ final, code, retryInMs }) => [final, code, retryInMs])).toEqual([
      [false, 'interrupted', 15_000],
      [true, 'interrupted', null],
    ])
  })
})
