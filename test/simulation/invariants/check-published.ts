import type { World } from '../world'
import { finalsByKey, unfinished } from './is-done'

/** A reader of committed records sees every outcome once and one final outcome of each request and device. */
export const checkPublished = (world: World): void => {
  const { outcomes, workload, journal, violations } = world
  const published = outcomes.published()
  const ids = new Set<string>()
  for (const { id } of published) {
    if (ids.has(id)) violations.broken('every outcome is published once', id)
    ids.add(id)
  }

  const missing = unfinished(world)
  if (missing.length > 0)
    violations.broken(
      'all work is done',
      `${missing.length} without a final outcome: ${missing.slice(0, 5).join(', ')}`,
    )
  for (const [key, count] of finalsByKey(world)) {
    if (!workload.expected.has(key)) violations.broken('only requests have outcomes', key)
    if (count > 1) violations.broken('one final outcome for each request and device', `${count} for ${key}`)
  }
  const rejected = published.filter(({ outcome }) => outcome === 'rejected').length
  if (rejected !== workload.rejected)
    violations.broken('a bad record is rejected once', `${rejected} rejections of ${workload.rejected}`)

  const unpublished = journal.store.outbox.filter(row => row.id > (outcomes.positions().at(-1) ?? 0n))
  if (unpublished.length > 0) violations.broken('all is published', `${unpublished.length} rows are left`)
}
