import { firstValueFrom } from 'rxjs'
import type { Job } from '../../src/domain/job'
import type { Resolution } from '../../src/domain/resolution'
import { type Resolved, resolveJob } from '../../src/postgres/job/resolve-job'
import { names, verdicts } from '../support/journal-journey'
import { sessionsWaiting, whileLocked } from '../support/journal-locks'
import { useJournal } from '../support/journal-suite'

describe('a held job', () => {
  const { journey, database } = useJournal()
  const { append, claim, claimJob, start, end, finish, published } = journey
  const idle = { kind: 'idle', wakeInMs: null }

  const resolve = (job: Job | number, resolution: Resolution): Promise<Resolved> =>
    firstValueFrom(
      resolveJob(database.pool, typeof job === 'number' ? job : job.batchId, resolution, {
        overdueFactor: 10,
        maxAttempts: 5,
      }),
    )
  const statusOf = async ({ batchId }: Job): Promise<unknown> =>
    (
      await database.pool.query('select status, held_reason from device_move.jobs where batch_id = $1', [
        batchId,
      ])
    ).rows[0]

  const claimed = async (): Promise<Job> => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    const job = await claimJob()
    // It waits for the first one, however that ends.
    await append({ requestId: 'r2', devices: ['dev1'] })
    return job
  }
  const hold = async (job: Job): Promise<Job> => {
    await firstValueFrom(journey.drive.hold(job, 'test'))
    return job
  }
  const unknown = async (): Promise<Job> => {
    const job = await claimed()
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
    return hold(job)
  }
  const completed = async (): Promise<Job> => {
    const job = await claimed()
    await start(job)
    await firstValueFrom(journey.drive.markEnded(job, 'completed'))
    return hold(job)
  }

  /** A job whose create left so long ago. */
  const running = async (age: string): Promise<Job> => {
    const job = await claimed()
    await start(job)
    await database.pool.query('update job set create_started_at = now() - $2::interval where job_id = $1', [
      job.batchId,
      age,
    ])
    return job
  }

  it('is not resolved while it runs, until it is overdue', async () => {
    const job = await running('29 minutes')
    for (const kind of ['absent', 'fail', 'again'] as const)
      expect(await resolve(job, { kind })).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('not overdue yet'),
      })
    expect(await statusOf(job)).toEqual({ status: 'running', held_reason: null })
  })

  it('is resolved by sending its devices again while it runs, once it is overdue', async () => {
    const job = await running('31 minutes')
    expect(await firstValueFrom(journey.drive.isResolved(job))).toBe(false)
    expect(await resolve(job, { kind: 'absent' })).toEqual({
      kind: 'resolved',
      was: 'running',
      devices: 2,
      runsAs: `P${job.batchId}`,
    })
    // The driver that awaits its end learns of it, and stores no end any more.
    expect(await firstValueFrom(journey.drive.isResolved(job))).toBe(true)
    expect(await firstValueFrom(journey.drive.markEnded(job, 'completed'))).toBe(false)
    const again = await claimJob()
    expect(again).toMatchObject({
      batchId: job.batchId,
      status: 'claimed',
      providerJobId: null,
      notOurs: [`P${job.batchId}`],
    })
  })

  it('is resolved by giving its devices up while it runs, so that later requests for them go on', async () => {
    const job = await running('31 minutes')
    expect(await resolve(job, { kind: 'fail' })).toMatchObject({ kind: 'resolved', was: 'running' })
    expect(await firstValueFrom(journey.drive.markEnded(job, 'completed'))).toBe(false)
    expect(await published()).toMatchObject([
      { outcome: 'failed', final: true, code: 'unknown' },
      { outcome: 'failed', final: true, code: 'unknown' },
    ])
    expect((await claimJob()).moves.map(({ deviceName }) => deviceName)).toEqual(['dev1'])
  })

  /** A job of four devices that was interrupted: one is told by its file, one by a look-up, and two are untold. */
  const partly = async (holdUntold: string | null = null): Promise<Job> => {
    await append({ requestId: 'r1', devices: ['dev1', 'dev2', 'dev3', 'dev4'] })
    const job = await claimJob()
    await start(job)
    await firstValueFrom(journey.drive.markEnded(job, 'interrupted'))
    const [one, two] = verdicts(job)
    if (one === undefined || two === undefined) throw new Error('four moves')
    await firstValueFrom(journey.drive.settle(job.batchId, [one], 'interrupted', { holdUntold }))
    const useless = { answeredAt: 1, found: null, code: 'iot.x' }
    await firstValueFrom(
      journey.drive.settleLookedUp(
        job.batchId,
        ['dev2', 'dev3'].map(deviceName => ({ ...useless, deviceName })),
        [two],
      ),
    )
    return job
  }
  const openDevices = async ({ batchId }: Job): Promise<string[]> =>
    (await firstValueFrom(journey.drive.untoldMoves(batchId, 10))).map(({ deviceName }) => deviceName)

  it('whose devices are looked up has them sent again at once, if so decided, also when it is not held', async () => {
    const job = await partly()
    expect(await resolve(job, { kind: 'fail' })).toEqual({
      kind: 'refused',
      why: `Job ${job.batchId}: it is looking-up and not held: the service is at work on it.`,
    })
    expect(await resolve(job, { kind: 'resend' })).toMatchObject({
      kind: 'resolved',
      was: 'looking-up',
      devices: 2,
      runsAs: null,
    })
    expect(await openDevices(job)).toEqual([])
    // The driver may have been asking about them.
    const late = verdicts(job).filter((_, index) => index === 3)
    expect(await firstValueFrom(journey.drive.settleLookedUp(job.batchId, [], late))).toBe(0)
    const again = await claimJob()
    expect(again.moves.map(({ deviceName, attempt }) => [deviceName, attempt])).toEqual([
      ['dev3', 2],
      ['dev4', 2],
    ])
    expect((await published()).map(({ deviceName, code, final }) => [deviceName, code, final])).toEqual([
      ['dev1', '200', true],
      ['dev2', '200', true],
      ['dev3', 'interrupted', false],
      ['dev4', 'interrupted', false],
    ])
    expect((await resolve(job, { kind: 'resend' })).kind).toBe('refused')
  })

  it('that is partly settled is looked up once more, or fails for what is left, and is neither adopted nor absent', async () => {
    const job = await hold(await partly('no file'))
    expect(await openDevices(job)).toEqual(['dev4'])
    for (const resolution of [{ kind: 'adopt', providerJobId: 'Q' }, { kind: 'absent' }] as const)
      expect(await resolve(job, resolution)).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('--resend'),
      })
    expect(await resolve(job, { kind: 'again' })).toMatchObject({
      kind: 'resolved',
      was: 'looking-up',
      devices: 2,
      runsAs: null,
    })
    expect(await openDevices(job)).toEqual(['dev3', 'dev4'])
    const again = await firstValueFrom(journey.drive.nextUntold())
    expect(again).toMatchObject({ batchId: job.batchId, releases: 1, holdUntold: 'no file' })
    await hold({ ...job, releases: 1 })
    expect(await resolve(job, { kind: 'fail' })).toMatchObject({
      kind: 'resolved',
      was: 'looking-up',
      devices: 2,
      runsAs: null,
    })
    expect(await journey.at.conservation()).toMatchObject({ moved: 2, failed: 2, in_flight: 0, held: 0 })
    expect((await published()).slice(2).map(({ code, final }) => [code, final])).toEqual([
      ['unknown', true],
      ['unknown', true],
    ])
  })

  /** A completed job under a JobId that List gave, of which no result file can be read. */
  const found = async (): Promise<Job> => {
    const job = await claimed()
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
    await firstValueFrom(journey.drive.adopted(job.batchId, 'Stranger'))
    await firstValueFrom(journey.drive.markEnded(job, 'completed'))
    await firstValueFrom(
      journey.drive.keepResultFile(job.batchId, { body: Buffer.from('<html>'), contentType: null }),
    )
    return hold(job)
  }

  it('is resolved by sending it again although it has ended, where its JobId was only found', async () => {
    const job = await found()
    expect(await resolve(job, { kind: 'absent' })).toMatchObject({ kind: 'resolved', was: 'completed' })
    const again = await claimJob()
    expect(again).toMatchObject({
      batchId: job.batchId,
      status: 'claimed',
      providerJobId: null,
      foundBy: null,
    })
    expect(await journey.at.evidence(job.batchId)).toEqual({ files: [], lookUps: [] })
    await finish(again)
    expect(await published()).toMatchObject([
      { attempt: 1, outcome: 'moved', jobId: `P${job.batchId}` },
      { attempt: 1, outcome: 'moved', jobId: `P${job.batchId}` },
    ])
  })

  it('is resolved by adopting another job in place of one that was only found and has ended', async () => {
    const job = await found()
    expect(await resolve(job, { kind: 'adopt', providerJobId: 'P' })).toMatchObject({ was: 'completed' })
    const again = await claimJob()
    expect(again).toMatchObject({ status: 'running', providerJobId: 'P', foundBy: 'operator' })
    expect((await journey.at.evidence(job.batchId)).files).toEqual([])
    await end(again)
  })

  it('is not resolved by a completed job that the create answered with, nor by a job of others', async () => {
    const answered = await completed()
    for (const resolution of [{ kind: 'absent' }, { kind: 'adopt', providerJobId: 'P' }] as const)
      expect(await resolve(answered, resolution)).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('so it exists'),
      })
    await resolve(answered, { kind: 'fail' })
    const job = await claimJob()
    await firstValueFrom(journey.drive.creating(job.batchId))
    await firstValueFrom(journey.drive.unanswered(job.batchId, 'timeout'))
    await firstValueFrom(journey.drive.adopted(job.batchId, 'Stranger'))
    await firstValueFrom(journey.drive.markEnded(job, 'interrupted'))
    await firstValueFrom(journey.drive.unadopted(job.batchId))
    await hold(job)
    expect(await resolve(job, { kind: 'adopt', providerJobId: 'Stranger' })).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('tells of other devices only'),
    })
  })

  it('is not resolved by trying a create again that was answered with the JobId of another job', async () => {
    const job = await claimed()
    await append({
      requestId: 'r3',
      route: { ...job.route, sourceInstanceId: 'iot-else' },
      devices: ['dev3'],
    })
    await firstValueFrom(journey.drive.creating(job.batchId))
    const other = await claimJob([job.batchId])
    await start(other)
    expect(await firstValueFrom(journey.drive.created(job.batchId, `P${other.batchId}`))).toBe('clash')
    expect(await resolve(job, { kind: 'again' })).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining(`JobId P${other.batchId}, which another job has`),
    })
    expect(await statusOf(job)).toMatchObject({ status: 'unknown', held_reason: expect.any(String) })
    expect(await resolve(job, { kind: 'absent' })).toMatchObject({ kind: 'resolved' })
    const again = await claimJob([other.batchId])
    await firstValueFrom(journey.drive.creating(again.batchId))
    await firstValueFrom(journey.drive.unanswered(again.batchId, 'timeout'))
    await hold(again)
    // Nothing is left of the clash.
    expect(await resolve(again, { kind: 'again' })).toMatchObject({ kind: 'resolved' })
  })

  it('is resolved by adopting the job that exists', async () => {
    const job = await unknown()
    expect(await claim()).toEqual(idle)
    expect(await resolve(job, { kind: 'adopt', providerJobId: 'P' })).toEqual({
      kind: 'resolved',
      was: 'unknown',
      devices: 2,
      runsAs: null,
    })
    expect(await statusOf(job)).toEqual({ status: 'running', held_reason: null })
    const again = await claimJob()
    expect(again).toMatchObject({ batchId: job.batchId, status: 'running', providerJobId: 'P' })
    await end(again)
    expect((await published()).map(({ jobId, outcome }) => [jobId, outcome])).toEqual([
      ['P', 'moved'],
      ['P', 'moved'],
    ])
  })

  it('is resolved by adopting another JobId than the one that the provider denies, or by sending it again', async () => {
    const job = await unknown()
    await resolve(job, { kind: 'adopt', providerJobId: 'misspelt' })
    await hold(await claimJob())
    expect(await resolve(job, { kind: 'adopt', providerJobId: 'P' })).toMatchObject({ was: 'running' })
    await hold(await claimJob())
    expect(await resolve(job, { kind: 'absent' })).toMatchObject({ was: 'running' })
    const again = await claimJob()
    expect(again).toMatchObject({
      batchId: job.batchId,
      status: 'claimed',
      providerJobId: null,
      createStartedAt: null,
    })
    await finish(again)
  })

  it('is not resolved under the JobId of another job', async () => {
    const job = await unknown()
    await append({
      requestId: 'r3',
      route: { ...job.route, sourceInstanceId: 'iot-else' },
      devices: ['dev3'],
    })
    const other = await claimJob()
    await start(other)
    expect(await resolve(job, { kind: 'adopt', providerJobId: `P${other.batchId}` })).toEqual({
      kind: 'refused',
      why: `Job ${job.batchId}: JobId P${other.batchId} is already that of job ${other.batchId}.`,
    })
    expect(await statusOf(job)).toEqual({ status: 'unknown', held_reason: 'test' })
  })

  it('is resolved by sending it again when it does not exist', async () => {
    const job = await unknown()
    expect(await resolve(job, { kind: 'absent' })).toMatchObject({ was: 'unknown', devices: 2 })
    const again = await claimJob()
    const lastError = 'an operator found that it does not exist at the provider'
    expect(again).toEqual({ ...job, status: 'claimed', releases: 1, lastError })
    await finish(again)
    expect(names(await claimJob())).toEqual(['dev1'])
  })

  it.each([
    ['unknown', unknown],
    ['completed', completed],
  ])('is resolved by trying the step again when it is %s', async (status, held) => {
    const job = await held()
    expect(await resolve(job, { kind: 'again' })).toMatchObject({ kind: 'resolved', was: status })
    expect(await claimJob()).toMatchObject({ batchId: job.batchId, status })
  })

  it.each([
    ['unknown', unknown, 'unknown', 'abandoned'],
    ['completed', completed, 'unknown', 'completed'],
    ['claimed', async () => hold(await claimed()), 'not-moved', 'abandoned'],
  ])('is resolved by giving it up when it is %s', async (was, held, code, status) => {
    const job = await held()
    expect(await resolve(job, { kind: 'fail' })).toEqual({ kind: 'resolved', was, devices: 2, runsAs: null })
    expect(await published()).toMatchObject([
      { deviceName: 'dev1', outcome: 'failed', final: true, code },
      { deviceName: 'dev2', outcome: 'failed', final: true, code },
    ])
    expect(await statusOf(job)).toEqual({ status, held_reason: null })
    expect(await journey.at.conservation()).toMatchObject({ failed: 2, held: 0, pending: 1 })
    // The moves that waited for its device or its route go on.
    expect(names(await claimJob())).toEqual(['dev1'])
    expect(await resolve(job, { kind: 'fail' })).toEqual({
      kind: 'refused',
      why: `Job ${job.batchId}: it is settled: nothing is left to be resolved.`,
    })
  })

  it('is not resolved when the service works on it, or when it does not exist', async () => {
    const job = await claimed()
    for (const kind of ['absent', 'again', 'fail'] as const) {
      expect(await resolve(job, { kind })).toMatchObject({ kind: 'refused' })
      expect(await resolve(77, { kind })).toMatchObject({ why: expect.stringContaining('there is none') })
    }
    expect(await statusOf(job)).toEqual({ status: 'claimed', held_reason: null })
  })

  it('is resolved once when it is resolved twice at the same time', async () => {
    const job = await unknown()
    await whileLocked(database.pool, 'select from job for update', async release => {
      const both = [resolve(job, { kind: 'absent' }), resolve(job, { kind: 'fail' })]
      await sessionsWaiting(database.pool, '%for no key update%', 2)
      await release()
      const kinds = (await Promise.all(both)).map(({ kind }) => kind)
      expect(kinds.sort()).toEqual(['refused', 'resolved'])
    })
  })
})
