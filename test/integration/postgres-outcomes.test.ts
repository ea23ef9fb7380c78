import { firstValueFrom } from 'rxjs'
import { finalOutcomes } from '../../src/postgres/outbox/final-outcomes'
import { countUnfinished, readOtherLists, readRunSummary } from '../../src/postgres/status/run-summary'
import { retried, verdicts } from '../support/journal-journey'
import { chunkOf } from '../support/journal-requests'
import { useJournal } from '../support/journal-suite'

describe('the report of a run', () => {
  const { journey, database } = useJournal()
  const { append, claim, claimJob, start, end, finish } = journey

  const unfinished = (topic = 'requests') => countUnfinished(database.pool, topic)
  const finals = async (topic = 'requests') => {
    const found: string[] = []
    for await (const { requestId, deviceName, outcome, attempt } of finalOutcomes(database.pool, topic))
      found.push(`${requestId} ${deviceName} ${outcome} ${attempt}`)
    return found
  }

  it('holds every final outcome of one topic, each request and device once, in the same order every time', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] }, { requestId: 'r1', devices: ['dev1'] })
    await firstValueFrom(journey.at.intake.append(chunkOf(2n, [], [{ code: 'empty_value' }])))
    const first = await claimJob()
    await start(first)
    await firstValueFrom(journey.drive.markEnded(first, 'completed'))
    const mixed = verdicts(first).map((verdict, index) =>
      index === 0 ? verdict : { ...verdict, ...retried },
    )
    await firstValueFrom(journey.drive.settle(first.batchId, mixed, 'completed'))
    expect(await finals()).toEqual(['r1 dev1 moved 1', 'requests/0/2 null rejected 1'])
    await finish(await claimJob())
    const every = ['r1 dev1 moved 1', 'r1 dev2 moved 2', 'requests/0/2 null rejected 1']
    expect(await finals()).toEqual(every)
    expect(await finals()).toEqual(every)
    expect(await finals('other')).toEqual([])
  })

  it('is read a page at a time, without repeats and without gaps', async () => {
    const devices = Array.from({ length: 10_000 }, (_, index) => `dev-${index}`)
    await journey.open({ batchMaxDevices: 10_000, batchMaxWaitMs: 0 })
    await append({ requestId: 'r1', devices })
    await finish(await claimJob())
    expect(await finals()).toEqual(devices.map(device => `r1 ${device} moved 1`))
  })

  it('counts a move as unfinished until its final outcome, wherever it is', async () => {
    expect(await unfinished()).toBe(0)
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] }, { requestId: 'r1', devices: ['dev1'] })
    await firstValueFrom(journey.at.intake.append(chunkOf(2n, [], [{}])))
    // The move is not yet known to be a repeat.
    expect(await unfinished()).toBe(3)
    const job = await claimJob()
    expect(await unfinished()).toBe(2)
    await start(job)
    expect(await unfinished()).toBe(2)
    await end(job, retried)
    expect(await unfinished()).toBe(2)
    const again = await claimJob()
    expect(again.moves).toHaveLength(2)
    expect(await unfinished()).toBe(2)
    await finish(again)
    expect(await unfinished()).toBe(0)
    expect(await claim()).toEqual({ kind: 'idle', wakeInMs: null })
    expect(await unfinished('other')).toBe(0)
  })

  it('sums up final outcomes by what they are and why', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await finish(await claimJob(), retried)
    await finish(await claimJob())
    await append({ requestId: 'r2', devices: ['dev3'] })
    await finish(await claimJob(), { outcome: 'failed', code: '6204' })
    await firstValueFrom(journey.at.intake.append(chunkOf(2n, [], [{}])))
    expect(await readRunSummary(database.pool, 'requests')).toEqual({
      accepted: 4,
      outcomes: [
        { outcome: 'moved', code: '200', count: 2 },
        { outcome: 'failed', code: '6204', count: 1 },
        { outcome: 'rejected', code: 'invalid_json', count: 1 },
      ],
      duplicates: 0,
      superseded: 0,
      unfinished: 0,
      retried: 2,
      jobs: 3,
    })
  })

  it('sums up one list of several in a database, and counts what it has in common with the others as duplicates', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await finish(await claimJob())
    await firstValueFrom(journey.at.intake.append(chunkOf(5n, [], [{}])))
    const request = { requestId: 'r1', devices: ['dev1', 'dev3'] }
    const [more, bad] = [
      chunkOf(0n, [request, { requestId: 'r2', devices: ['dev4'] }]),
      chunkOf(2n, [], [{}]),
    ]
    for (const chunk of [more, bad])
      await firstValueFrom(journey.at.intake.append({ ...chunk, topic: 'other' }))
    const sum = { duplicates: 0, superseded: 0, retried: 0 }
    const other = () => readRunSummary(database.pool, 'other')
    const rejected = { outcome: 'rejected', code: 'invalid_json', count: 1 }
    expect(await other()).toEqual({ ...sum, accepted: 4, outcomes: [rejected], unfinished: 3, jobs: 0 })
    await finish(await claimJob(), { outcome: 'failed', code: '6204' })
    const failed = { outcome: 'failed', code: '6204', count: 2 }
    const all = { ...sum, accepted: 4, outcomes: [failed, rejected], duplicates: 1, unfinished: 0, jobs: 1 }
    expect(await other()).toEqual(all)
    expect(await readRunSummary(database.pool, 'requests')).toMatchObject({ accepted: 3, jobs: 1 })
    const none = { moved: 0, failed: 0, rejected: 1, superseded: 0, duplicate: 0 }
    expect(await readOtherLists(database.pool, 'requests')).toEqual({
      lists: 1,
      ended: { ...none, failed: 2, duplicate: 1 },
    })
    expect(await readOtherLists(database.pool, 'other')).toEqual({ lists: 1, ended: { ...none, moved: 2 } })
    expect(await readOtherLists(database.pool, 'third')).toMatchObject({ lists: 2, ended: { rejected: 2 } })
  })
})
