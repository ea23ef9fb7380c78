import type { JobStatus } from '../../../src/domain/job'
import {
  givenUp,
  type HeldJob,
  misfit,
  providerJobIdOf,
  type Resolution,
  resolutionsFor,
} from '../../../src/domain/resolution'

const statuses: readonly JobStatus[] = [
  'claimed',
  'creating',
  'unknown',
  'running',
  'completed',
  'interrupted',
  'looking-up',
  'refused',
  'settled',
]

const held = (status: JobStatus, more: Partial<HeldJob> = {}): HeldJob => ({
  status,
  isHeld: true,
  isOverdue: false,
  foundBy: null,
  notOurs: [],
  clashesWith: null,
  ...more,
})

describe('a resolution', () => {
  it.each<[Resolution, readonly JobStatus[]]>([
    [{ kind: 'adopt', providerJobId: 'P' }, ['creating', 'unknown', 'running']],
    [{ kind: 'absent' }, ['creating', 'unknown', 'running']],
    [
      { kind: 'again' },
      ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'looking-up'],
    ],
    [
      { kind: 'fail' },
      ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'looking-up'],
    ],
  ])('%o fits held jobs that are %j', (resolution, fitting) => {
    expect(statuses.filter(status => misfit(held(status), resolution) === null)).toEqual(fitting)
    for (const status of statuses) expect(misfit(held(status, { isHeld: false }), resolution)).not.toBeNull()
  })

  it('says why it does not fit', () => {
    const why = (status: JobStatus, isHeld: boolean) => misfit(held(status, { isHeld }), { kind: 'absent' })
    expect(why('settled', true)).toBe('it is settled: nothing is left to be resolved')
    expect(why('running', false)).toBe(
      'it is running and not held: the service is at work on it, and it is not overdue yet',
    )
    expect(why('creating', false)).toBe('it is creating and not held: the service is at work on it')
    expect(why('completed', true)).toBe(
      'it is completed: its create was answered, and its job has ended at the provider, so it exists',
    )
    expect(why('claimed', true)).toContain('was certainly not created')
  })

  it('may name another JobId, or none, for an ended job whose create did not answer with its JobId', () => {
    for (const status of ['completed', 'interrupted'] as const)
      for (const foundBy of ['list', 'operator'] as const) {
        const job = held(status, { foundBy, notOurs: ['Stranger'] })
        expect(misfit(job, { kind: 'absent' })).toBeNull()
        expect(misfit(job, { kind: 'adopt', providerJobId: 'P' })).toBeNull()
        expect(misfit(job, { kind: 'adopt', providerJobId: 'Stranger' })).toBe(
          'the result file of Stranger tells of other devices only',
        )
      }
  })

  it('may not try a create again that was answered with the JobId of another job', () => {
    const job = held('unknown', { clashesWith: 'P' })
    expect(misfit(job, { kind: 'again' })).toBe(
      'its create was answered with JobId P, which another job has, so its devices may have been sent: look in the ' +
        'console for its own job, then --adopt its JobId, or --absent if there is none, or --fail',
    )
    for (const kind of ['absent', 'fail'] as const) expect(misfit(job, { kind })).toBeNull()
    expect(misfit(job, { kind: 'adopt', providerJobId: 'Q' })).toBeNull()
  })

  it('fits a running job that is overdue if it says what is to become of the devices', () => {
    const overdue = held('running', { isHeld: false, isOverdue: true })
    expect(resolutionsFor(overdue)).toEqual(['absent', 'fail'])
    expect(misfit(overdue, { kind: 'again' })).toBe(
      'its end is awaited already, so there is nothing to try once more',
    )
    expect(misfit(overdue, { kind: 'adopt', providerJobId: 'P' })).toBe(
      'its create was answered with its JobId, so no other is its own',
    )
    // Its JobId was found in List, so it may be another's.
    expect(resolutionsFor({ ...overdue, foundBy: 'list' })).toEqual(['adopt', 'absent', 'fail'])
  })

  it('is offered only if it may fit', () => {
    expect(resolutionsFor(held('claimed'))).toEqual(['again', 'fail'])
    expect(resolutionsFor(held('unknown', { clashesWith: 'P' }))).toEqual(['adopt', 'absent', 'fail'])
    expect(resolutionsFor(held('completed', { foundBy: 'list' }))).toEqual([
      'adopt',
      'absent',
      'again',
      'fail',
      'resend',
    ])
    expect(resolutionsFor(held('completed'))).toEqual(['again', 'fail', 'resend'])
    expect(resolutionsFor(held('looking-up'))).toEqual(['again', 'fail', 'resend'])
    expect(resolutionsFor(held('looking-up', { isHeld: false }))).toEqual(['resend'])
    expect(resolutionsFor(held('settled'))).toEqual([])
  })

  it.each<[JobStatus, string, string]>([
    ['claimed', 'not-moved', 'was not sent'],
    ['unknown', 'unknown', 'may have moved'],
    ['completed', 'unknown', 'may have moved'],
  ])('that gives up a job while it is %s fails its moves for good with code %s', (status, code, text) => {
    const moves = [1n, 2n].map(seq => ({ seq, deviceName: 'dev1', attempt: 1 }))
    const verdicts = givenUp(status, moves)
    expect(verdicts.map(({ seq }) => seq)).toEqual([1n, 2n])
    for (const verdict of verdicts) {
      expect(verdict).toMatchObject({ outcome: 'failed', final: true, code, retryInMs: null })
      expect(verdict.message).toContain(text)
    }
  })
})

describe('providerJobIdOf', () => {
  it('accepts a text that can be a JobId', () => {
    expect(providerJobIdOf('UbmsMHmkqv0PiAG1010001')).toBe('UbmsMHmkqv0PiAG1010001')
  })
  it.each(['', ' ', 'two words', 'tab\t', 'nul\u0000', 'x'.repeat(257)])('refuses %j', text => {
    expect(providerJobIdOf(text)).toBeNull()
  })
})
