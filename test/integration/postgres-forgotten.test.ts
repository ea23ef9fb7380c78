import { firstValueFrom } from 'rxjs'
import type { ForgottenJob } from '../../src/domain/forgotten'
import { goOnUnlisted, resolveForgotten } from '../../src/postgres/job/resolve-forgotten'
import { readForgotten } from '../../src/postgres/status/read-forgotten'
import { names } from '../support/journal-journey'
import { recordedAt, routeTo } from '../support/journal-requests'
import { useJournal } from '../support/journal-suite'

describe('jobs that a restored database has forgotten, in PostgreSQL', () => {
  const { journey, database } = useJournal()
  const { productKey, sourceInstanceId, strategy, targetInstanceIds } = routeTo('iot-target')
  const job: ForgottenJob = {
    productKey,
    sourceInstanceId,
    strategy,
    targetInstanceIds,
    providerJobId: 'ForgottenJob',
    targetUid: null,
    total: 3,
    status: 3,
    createdAt: recordedAt.getTime() + 60_000,
  }
  const status = () => readForgotten(database.pool)

  it('are named by status, and let the routes go on as an operator decides', async () => {
    const { drive, append, claim, claimJob, at } = journey
    await append({ requestId: 'r1', devices: ['dev1', 'dev2'] })
    await at.acceptRestore()
    const { unlisted } = await firstValueFrom(drive.forgotten())
    const restoreId = unlisted?.restoreId ?? 0
    await firstValueFrom(drive.setListError(restoreId, 'List is refused'))
    expect(await status()).toEqual({ isUnlisted: true, listError: 'List is refused', unread: 0, held: [] })
    await firstValueFrom(drive.keepListed(restoreId, [job]))
    expect(await status()).toEqual({ isUnlisted: false, listError: null, unread: 1, held: [] })

    const told = new Map([['dev1', { code: '200', message: null }]])
    await firstValueFrom(drive.holdForgotten(job, told, 'it leaves out 2'))
    const held = [{ jobId: 'ForgottenJob', devices: 3, why: 'it leaves out 2' }]
    expect(await status()).toEqual({ isUnlisted: false, listError: null, unread: 0, held })
    expect(await firstValueFrom(resolveForgotten(database.pool, 'Another', 'absent'))).toBeNull()
    expect(await firstValueFrom(resolveForgotten(database.pool, 'ForgottenJob', 'again'))).toBe(3)
    expect((await firstValueFrom(drive.forgotten())).jobs).toEqual([job])

    await firstValueFrom(drive.holdForgotten(job, told, 'it leaves out 2'))
    expect(await firstValueFrom(resolveForgotten(database.pool, 'ForgottenJob', 'absent'))).toBe(3)
    const givenUp = await firstValueFrom(drive.givenUp(['ForgottenJob', 'Another']))
    expect([...givenUp]).toEqual(['ForgottenJob'])
    await claim()
    expect((await journey.published()).map(({ deviceName, jobId }) => [deviceName, jobId])).toEqual([
      ['dev1', 'ForgottenJob'],
    ])
    expect(names(await claimJob())).toEqual(['dev2'])
  })

  it('are left out if an operator goes on without the list', async () => {
    await journey.append({ requestId: 'r1', devices: ['dev1'] })
    await journey.at.acceptRestore()
    expect(await firstValueFrom(goOnUnlisted(database.pool))).toBe(true)
    expect(await firstValueFrom(goOnUnlisted(database.pool))).toBe(false)
    expect(names(await journey.claimJob())).toEqual(['dev1'])
  })
})
