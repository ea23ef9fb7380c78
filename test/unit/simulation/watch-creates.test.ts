import { driveTime } from '../../simulation/clock'
import { watchCreates } from '../../simulation/invariants/watch-creates'
import { createLedger } from '../../simulation/ledger'
import { planOf } from '../../simulation/plan'
import { createViolations } from '../../simulation/violations'
import { createFakeJournal } from '../../support/fake-journal'
import { routeTo, seeded } from '../../support/virtual-driver'

/** A stranger takes the only slot at the start; a create of ours leaves at `leavesAtMs` and runs at `runsAtMs`. */
const brokenBy = (leavesAtMs: number, runsAtMs: number): string[] => {
  const clock = driveTime({ startAt: 0, random: seeded(1) })
  const plan = { ...planOf(1), quotaJobs: 1, listLagMs: 1_000 }
  const ledger = createLedger(clock)
  const violations = createViolations(() => undefined)
  const journal = createFakeJournal({ batchMaxDevices: 10, batchMaxWaitMs: 0 })
  const watched = watchCreates({ plan, journal, clock, ledger, violations })
  ledger.strangers.push({ providerJobId: 'F1', total: 1, since: 0, until: 10_000_000 })
  clock.after(clock.world, leavesAtMs, () => ledger.createLeaves(['dev1']))
  clock.after(clock.world, runsAtMs, () =>
    watched({
      providerJobId: 'P1',
      route: routeTo('iot-target'),
      deviceNames: ['dev1'],
      total: 1,
      createdAt: runsAtMs,
      foreign: false,
    }),
  )
  while (clock.step());
  return violations.found.map(({ promise }) => promise)
}

describe('the check that QUOTA_JOBS is kept', () => {
  it('names a create that left when the slots were known to be taken', () => {
    expect(brokenBy(70_000, 71_000)).toEqual(['QUOTA_JOBS kept, strangers included'])
  })

  it('judges a create by when it left, however late it is carried out', () => {
    expect(brokenBy(30_000, 200_000)).toEqual([])
  })
})
