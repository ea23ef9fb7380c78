import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import { LeaseLostError } from '../../src/ports/errors'
import { verdicts } from '../support/journal-journey'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { routeTo } from '../support/journal-requests'
import { useJournal } from '../support/journal-suite'

describe('claims and settlements at the same time,', () => {
  const { journey, database } = useJournal()
  const { append, claim, claimJob, start, finish, published } = journey

  const claimLock = 'select from claim_lock for update'
  const settle = (job: Job) =>
    firstValueFrom(journey.drive.settle(job.batchId, verdicts(job), 'completed'), { defaultValue: undefined })
  /** A job that has ended and is not settled. */
  const ended = async (): Promise<Job> => {
    await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] })
    const job = await claimJob()
    await start(job)
    await firstValueFrom(journey.drive.markEnded(job, 'completed'))
    return job
  }

  it.each(['settlement', 'claim'])('when the %s comes first, release the moves that wait', async first => {
    const job = await ended()
    await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['dev1'] })
    const works = [() => settle(job), () => claim([job.batchId])]
    if (first === 'claim') works.reverse()
    await whileLocked(database.pool, claimLock, async release => {
      const under: Promise<unknown>[] = []
      for (const work of works) {
        under.push(work())
        await sessionsWaiting(database.pool, '%claim_lock%', under.length)
      }
      await release()
      await Promise.all(under)
    })
    // The move is claimed at once, or released to be claimed now, and never forgotten.
    const second = await claimJob()
    expect(second.route).toEqual(routeTo('iot-2'))
    await finish(second)
    expect((await published()).map(({ requestId }) => requestId)).toEqual(['r1', 'r2'])
  })

  it('give the same batch to every claim', async () => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    const jobs = await Promise.all([1, 2, 3].map(() => claimJob()))
    expect(new Set(jobs.map(job => job.batchId)).size).toBe(1)
  })

  it('offer one create at a time of look-alike routes that an older release claimed side by side', async () => {
    await append({ requestId: 'r1', route: routeTo('iot-1'), devices: ['dev1'] })
    const first = await claimJob()
    await append({ requestId: 'r2', route: routeTo('iot-2'), devices: ['dev2'] })
    const second = await claimJob([first.batchId])
    await database.pool.query(
      `update route set target_instance_ids = array['iot-1'], priority = 'urgent' where route_id = $1`,
      [second.routeId],
    )
    expect(await claim([first.batchId])).toEqual({ kind: 'idle', wakeInMs: null })
    await start(first)
    expect(await claimJob([first.batchId])).toMatchObject({ batchId: second.batchId, status: 'claimed' })
  })

  it('settle a job once when it is settled twice at the same time', async () => {
    const job = await ended()
    await Promise.all([settle(job), settle(job)])
    expect(await published()).toHaveLength(1)
    expect(await firstValueFrom(journey.at.outbox.position('p'))).toEqual({ published: 0n, end: 1n })
  })

  it('finish before a take-over, and are refused after it', async () => {
    await append({ requestId: 'r1', devices: ['dev1'] })
    await whileLocked(database.pool, claimLock, async release => {
      const claimed = claimJob()
      await sessionsWaiting(database.pool, '%claim_lock%')
      const takeOver = journey.at.takeOver()
      await sessionsWaiting(database.pool, 'update lease%')
      await release()
      expect((await claimed).status).toBe('claimed')
      expect(await takeOver).toBe(2n)
    })
    await expect(claim()).rejects.toThrow(LeaseLostError)
  })
})
