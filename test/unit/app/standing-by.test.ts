import { timer } from 'rxjs'
import type { ServiceStatus } from '../../../src/health/readiness'
import { createWorld, minute, names } from '../../support/service-world'
import { inVirtualTime } from '../../support/virtual-driver'

describe('of two replicas, in the middle of a job', () => {
  const seen: Record<string, ServiceStatus> = {}
  const world = createWorld({ jobBaseMs: 5 * minute })
  inVirtualTime(20 * minute, () => {
    for (const name of names('meter', 20)) world.request(name)
    const [one, two] = [world.replica('one'), world.replica('two')]
    one.service.run$.subscribe()
    two.service.run$.subscribe()
    timer(minute).subscribe(() => {
      seen.driver = one.service.status()
      seen.standBy = two.service.status()
    })
    timer(2 * minute).subscribe(() => one.lease.lose())
    timer(4 * minute).subscribe(() => {
      seen.former = one.service.status()
      seen.successor = two.service.status()
    })
  })
  const open = { own: 1, foreign: 0, capacity: 10 }
  const quota = { shared: expect.any(Number) }

  it('the one that drives shows slots and quota', () => {
    expect(seen.driver).toMatchObject({ lease: 'held', openJobs: open, quota })
    expect(seen.successor).toMatchObject({ lease: 'held', openJobs: open, quota })
  })

  it('the one that stands by shows no figures, not even earlier ones, and names the holder of the lease', () => {
    const none = { lease: 'standing-by', openJobs: null, quota: null }
    expect(seen.standBy).toMatchObject({ ...none, holder: 'one' })
    expect(seen.former).toMatchObject(none)
  })
})
