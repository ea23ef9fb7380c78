import {
  type CandidateFile,
  decideByFiles,
  findCandidates,
  holdsAllSince,
  type ListedLike,
  lookAlikeKey,
  nothingListed,
  orderAfter,
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
  it('finds the job that matches', () => {
    expect(find([listed({ providerJobId: 'other', total: 3 }), listed()])).toEqual(['job-1'])
  })

  it('finds a job whose targets List does not show, which would be created again if it were passed over', () => {
    expect(find([listed({ targetInstanceIds: [] })])).toEqual(['job-1'])
  })

  it.each<[string, Partial<ListedLike>]>([
    ['another product', { productKey: 'other' }],
    ['another source', { sourceInstanceId: 'other' }],
    ['another strategy', { strategy: 0 }],
    ['another target', { targetInstanceIds: ['iot-a', 'iot-c'] }],
    ['one target fewer', { targetInstanceIds: ['iot-a'] }],
    ['one target more', { targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'] }],
    ['another target account', { targetUid: '1985' }],
    ['another number of devices', { total: 501 }],
    ['a creation time before the intent', { createdAt: createStartedAt - clockSkewMs - 1 }],
  ])('finds no job with %s', (_, fields) => {
    expect(find([listed(fields)])).toEqual([])
  })

  it('allows for a clock of the provider that is behind', () => {
    expect(find([listed({ createdAt: createStartedAt - clockSkewMs })])).toEqual(['job-1'])
  })

  it('ignores the order of the targets', () => {
    expect(find([listed({ targetInstanceIds: ['iot-b', 'iot-a'] })])).toEqual(['job-1'])
  })

  it('compares target accounts only if both are known', () => {
    const byAliyunId = { ...job, route: { ...route, targetUid: null, targetAliyunId: 'someone' } }
    expect(find([listed({ targetUid: null })])).toEqual(['job-1'])
    expect(find([listed({ targetUid: '1985' })], [], byAliyunId)).toEqual(['job-1'])
  })

  it('finds no job that is known to be ours already', () => {
    expect(find([listed()], ['job-1'])).toEqual([])
    expect(find([listed(), listed({ providerJobId: 'job-2' })], ['job-1'])).toEqual(['job-2'])
  })

  it('finds every job that could be the one', () => {
    expect(find([listed(), listed({ providerJobId: 'job-2' })])).toEqual(['job-1', 'job-2'])
  })

  it('counts a job once that two pages show', () => {
    expect(find([listed(), listed()])).toEqual(['job-1'])
  })

  it('finds nothing in an empty List', () => {
    expect(find([])).toEqual([])
  })
})

describe('decideByFiles', () => {
  const decide = (...tells: readonly CandidateFile['tells'][]) =>
    decideByFiles(tells.map((each, at) => ({ providerJobId: `job-${at}`, tells: each })))

  it('finds the job whose file names devices of the batch', () => {
    expect(decide('wrong-devices', 'ours')).toEqual({ kind: 'found', providerJobId: 'job-1' })
    expect(decide('ours', 'not-yet', 'untold')).toEqual({ kind: 'found', providerJobId: 'job-0' })
  })

  it('proves absence when all files name other devices only', () => {
    expect(decide('wrong-devices', 'wrong-devices')).toEqual({ kind: 'absent' })
  })

  it('waits for a file that is not available yet', () => {
    expect(decide('wrong-devices', 'not-yet')).toBeNull()
  })

  it('finds it undecidable when the files do not show which job it is', () => {
    for (const tells of [['wrong-devices', 'untold'] as const, ['ours', 'ours'] as const])
      expect(decide(...tells)).toEqual({
        kind: 'undecidable',
        allEnded: true,
        why: expect.stringContaining('job-0, job-1'),
      })
  })
})

describe('lookAlikeKey', () => {
  const listedRoute = {
    productKey: 'a1Product',
    sourceInstanceId: 'iot-source',
    strategy: 1,
    targetInstanceIds: ['iot-a', 'iot-b'],
  }

  it('takes target instances as a set and leaves out what List does not show', () => {
    const inOtherWords = {
      ...listedRoute,
      targetInstanceIds: ['iot-b', 'iot-a', 'iot-b'],
      priority: 'urgent',
      targetUid: '1',
    }
    expect(lookAlikeKey(inOtherWords)).toBe(lookAlikeKey(listedRoute))
  })

  it.each([
    { productKey: 'a1Other' },
    { sourceInstanceId: 'iot-else' },
    { strategy: 0 },
    { targetInstanceIds: ['iot-a'] },
    { targetInstanceIds: ['iot-a,iot-b'] },
    { targetInstanceIds: ['iot-a', 'iot-b', 'iot-c'] },
  ])('differs for a route with %o', differs => {
    expect(lookAlikeKey({ ...listedRoute, ...differs })).not.toBe(lookAlikeKey(listedRoute))
  })
})

describe('holdsAllSince', () => {
  const holds = (times: readonly number[], since: number): boolean =>
    holdsAllSince(
      orderAfter(
        nothingListed,
        times.map(createdAt => ({ createdAt })),
        10,
      ),
      since,
      10,
    )

  it('is true once jobs that come newest first lie below the instant', () =>
    expect(holds([200, 150, 100, 89], 100)).toBe(true))

  it('is false at the edge of the tolerance', () => expect(holds([200, 150, 90], 100)).toBe(false))

  it('allows jobs out of order within the tolerance, and not beyond', () => {
    expect(holds([200, 150, 160, 80], 100)).toBe(true)
    expect(holds([200, 150, 161, 80], 100)).toBe(false)
  })

  it('is false while no job has shown the order', () => {
    expect(holds([], 100)).toBe(false)
    expect(holds([50, 45, 42], 100)).toBe(false)
  })

  it('is false for the oldest first', () => expect(holds([10, 50, 200], 100)).toBe(false))
})
