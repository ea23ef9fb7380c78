/** Other people's jobs in the same account. They take slots, and some of them look like ours in List. */
import type { RouteFields } from '../../src/domain/route'
import type { World } from './world'

const otherRoute: RouteFields = {
  productKey: 'a1Stranger0',
  sourceInstanceId: 'iot-elsewhere',
  strategy: 0,
  targetInstanceIds: ['iot-nowhere'],
  targetUid: '1984000000000009',
  targetAliyunId: null,
  priority: 'normal',
}

export const startStrangers = (world: World): void => {
  const { clock, draw, faults, journal, ledger, provider } = world
  const begin = (route: RouteFields, total: number): void => {
    const durationMs = draw.between(5_000, 150_000)
    const { providerJobId } = provider.startForeignJob(route, total, durationMs)
    ledger.strangers.push({ providerJobId, total, since: clock.now(), until: clock.now() + durationMs })
  }
  /** A batch of ours whose create has had no answer yet. */
  const unanswered = () =>
    [...journal.store.unfinished].find(({ status }) => status === 'creating' || status === 'unknown')

  const everySecond = (): void => {
    if (faults.isCalm()) return
    const ours = unanswered()
    if (ours !== undefined && faults.hit('look-alike in the list')) begin(ours.route.fields, ours.seqs.length)
    if (faults.hit('stranger in the list')) {
      const [first = otherRoute, ...others] = [...journal.store.routes.values()].map(route => route.fields)
      // On a route of ours it never has as many devices as one of our batches.
      if (ours !== undefined) begin(ours.route.fields, 100 + ours.seqs.length)
      else if (draw.chance(0.5)) begin(otherRoute, draw.between(1, 20))
      else begin(draw.oneOf([first, ...others]), draw.between(100, 120))
    }
    clock.after(clock.world, 1_000, everySecond)
  }
  clock.after(clock.world, 1_000, everySecond)
}
