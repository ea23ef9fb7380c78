import {
  type CandidateFile,
  decideByFiles,
  findCandidates,
  type ListedLike,
  type UnansweredJob,
} from '../../../src/domain/reconcile'
import type { RouteFields } from '../../../src/domain/route'

const route: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-source',
  strategy: 1,
  targetInstanceIds: ['iot-a', 'iot-b'],
  targetUid: '1984',
  targetAliyunId: null,
  priority: 'normal',
}
const createStartedAt = 1_000_000
const clockSkewMs = 5_000
const job: UnansweredJob = { route, total: 500, createStartedAt }

const listed = (fields: Partial<ListedLike> = {}): ListedLike => ({
  providerJobId: 'job-1',
  productKey: route.productKey,
  sourceInstanceId: route.sourceInstanceId,
  strategy: 1,
  targetInstanceIds: ['iot-a', 'iot-b'],
  targetUid: '1984',
  total: 500,
  createdAt: createStartedAt + 2_000,
  ...fields,
})

const find = (jobs: readonly ListedLike[], own: readonly string[] = [], unanswered = job) =>
  findCandidates(jobs, unanswered, new Set(own), clockSkewMs).map(candidate => candidate.providerJobId)

describe('findCandidates', () => {
  it('finds the one that matches', () => {
    expect(find([listed({ providerJobId: 'other', total: 3 }), listed()])).toEqual(['job-1'])
  })

  it('finds one of which List shows no targets: passed over, it would be created again', () => {
    expect(find([listed({ targetInstanceIds: [] })])).toEqual(['job-1'])
  })

  it.each<[string, Partial<ListedLike>]>([
    ['product', { productKey: 'other' }],
    ['source', { sourceInstanceId: 'other' }],
    ['strategy', { strategy: 0 }],
    ['target', { targetInstanceIds: ['iot-a', 'iot-c'] }],
    ['target, one fewer', { targetInstanceIds: ['iot-a'] }],
    ['target, one more', { targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'] }],
    ['target account', { targetUid: '1985' }],
    ['total', { total: 501 }],
    ['time: before the intent', { createdAt: createStartedAt - clockSkewMs - 1 }],
  ])('takes no job of another %s', (_, fields) => {
    expect(find([listed(fields)])).toEqual([])
  })

  it('allows the provider’s clock to be behind', () => {
    expect(find([listed({ createdAt: createStartedAt - clockSkewMs })])).toEqual(['job-1'])
  })

  it('does not care for the order of the targets', () => {
    expect(find([listed({ targetInstanceIds: ['iot-b', 'iot-a'] })])).toEqual(['job-1'])
  })

  it('compares target accounts only where both are known', () => {
    const byAliyunId = { ...job, route: { ...route, targetUid: null, targetAliyunId: 'someone' } }
    expect(find([listed({ targetUid: null })])).toEqual(['job-1'])
    expect(find([listed({ targetUid: '1985' })], [], byAliyunId)).toEqual(['job-1'])
  })

  it('takes none that is ours already', () => {
    expect(find([listed()], ['job-1'])).toEqual([])
    expect(find([listed(), listed({ providerJobId: 'job-2' })], ['job-1'])).toEqual(['job-2'])
  })

  it('says when several could be it', () => {
    expect(find([listed(), listed({ providerJobId: 'job-2' })])).toEqual(['job-1', 'job-2'])
  })

  it('counts a job that two pages show once', () => {
    expect(find([listed(), listed()])).toEqual(['job-1'])
  })

  it('finds nothing in an empty List', () => {
    expect(find([])).toEqual([])
  })
})

describe('decideByFiles', () => {
  const decide = (...tells: readonly CandidateFile['tells'][]) =>
    decideByFiles(tells.map((each, at) => ({ providerJobId: `job-${at}`, tells: each })))

  it('finds the one whose file names devices of the batch', () => {
    expect(decide('wrong-devices', 'ours')).toEqual({ kind: 'found', providerJobId: 'job-1' })
    expect(decide('ours', 'not-yet', 'untold')).toEqual({ kind: 'found', providerJobId: 'job-0' })
  })

  it('proves its absence where all files are of others', () => {
    expect(decide('wrong-devices', 'wrong-devices')).toEqual({ kind: 'absent' })
  })

  it('waits for a file that cannot be had just now', () => {
    expect(decide('wrong-devices', 'not-yet')).toBeNull()
  })

  it('leaves to people what the files do not tell', () => {
    for (const tells of [['wrong-devices', 'untold'] as const, ['ours', 'ours'] as const])
      expect(decide(...tells)).toEqual({
        kind: 'undecidable',
        allEnded: true,
        why: expect.stringContaining('job-0, job-1'),
      })
  })
})
