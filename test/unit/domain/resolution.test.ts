import type { JobStatus } from '../../../src/domain/job'
import { givenUp, misfit, providerJobIdOf, type Resolution } from '../../../src/domain/resolution'

const statuses: readonly JobStatus[] = [
  'claimed',
  'creating',
  'unknown',
  'running',
  'completed',
  'interrupted',
  'refused',
  'settled',
]

describe('a resolution', () => {
  it.each<[Resolution, readonly JobStatus[]]>([
    [{ kind: 'adopt', providerJobId: 'P' }, ['creating', 'unknown', 'running']],
    [{ kind: 'absent' }, ['creating', 'unknown', 'running']],
    [{ kind: 'again' }, ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted']],
    [{ kind: 'fail' }, ['claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted']],
  ])('%o fits held jobs that are %j', (resolution, fitting) => {
    expect(statuses.filter(status => misfit({ status, isHeld: true }, resolution) === null)).toEqual(fitting)
    for (const status of statuses) expect(misfit({ status, isHeld: false }, resolution)).not.toBeNull()
  })

  it('says why it does not fit', () => {
    const why = (status: JobStatus, isHeld: boolean) => misfit({ status, isHeld }, { kind: 'absent' })
    expect(why('settled', true)).toBe('it is settled: nothing is left to be resolved')
    expect(why('running', false)).toBe('it is running and not held: the service is at work on it')
    expect(why('completed', true)).toBe('it is completed: its job has ended at the provider, so it exists')
    expect(why('claimed', true)).toContain('was certainly not created')
  })

  it.each<[JobStatus, string, string]>([
    ['claimed', 'not-moved', 'was not sent'],
    ['unknown', 'unknown', 'may have moved'],
    ['completed', 'unknown', 'may have moved'],
  ])('of a job given up as %s ends its moves for good, code %s', (status, code, text) => {
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
  it('takes what can be a JobId', () => {
    expect(providerJobIdOf('UbmsMHmkqv0PiAG1010001')).toBe('UbmsMHmkqv0PiAG1010001')
  })
  it.each(['', ' ', 'two words', 'tab\t', 'nul\u0000', 'x'.repeat(257)])('refuses %j', text => {
    expect(providerJobIdOf(text)).toBeNull()
  })
})
