import { firstValueFrom } from 'rxjs'
import { cancelRoute, previewCancel } from '../../src/postgres/job/cancel-moves'
import { useJournal } from '../support/journal-suite'
import { until } from '../support/until'

const devices = 30_000

describe('cancelling a route', () => {
  const { journey, database } = useJournal()
  const { append, claim, claimJob } = journey

  const appendMany = async (): Promise<void> => {
    for (let from = 0; from < devices; from += 10_000) {
      const names = Array.from({ length: 10_000 }, (_, index) => `dev-${from + index}`)
      await append({ requestId: `r${from}`, devices: names })
    }
  }
  const failed = async (): Promise<number> => (await journey.at.conservation()).failed

  it('is done in slices; interrupted it holds the route, and run again it finishes and lets the route go', async () => {
    await appendMany()
    const refused = await claimJob()
    await firstValueFrom(journey.drive.creating(refused.batchId))
    await firstValueFrom(journey.drive.holdRoute(refused.batchId, 'iot.system.InstanceNotFound: gone'))
    expect(await journey.at.routeHold(1)).toMatchObject({ kind: 'refused' })
    expect(await firstValueFrom(previewCancel(database.pool, 1))).toEqual({
      cancelled: devices,
      inFlight: 0,
    })
    expect(await failed()).toBe(0)

    const interrupted = cancelRoute(database.pool, 1).subscribe()
    await until(async () => (await failed()) > 0)
    interrupted.unsubscribe()
    // The slice under way when it was interrupted ends first, under the same lock.
    const before = await firstValueFrom(previewCancel(database.pool, 1))
    expect(before?.cancelled).toBeLessThan(devices)
    expect(await journey.at.routeHold(1)).toMatchObject({ kind: 'operator' })
    expect(await claim()).toMatchObject({ kind: 'idle' })

    await firstValueFrom(cancelRoute(database.pool, 1))
    expect(await firstValueFrom(cancelRoute(database.pool, 1))).toEqual({ cancelled: 0, inFlight: 0 })
    expect(await journey.at.conservation()).toMatchObject({ failed: devices, pending: 0, held: 0, gap: 0 })
    expect(await journey.at.routeHold(1)).toBeNull()
  })

  it('says so when there is no such route', async () => {
    expect(await firstValueFrom(cancelRoute(database.pool, 99))).toBeNull()
    expect(await firstValueFrom(previewCancel(database.pool, 99))).toBeNull()
  })
})
