import { moveOutcomeId, type Outcome } from '../../../src/domain/outcome'
import type { World } from '../world'

/** How far the outcomes of one request of a device have come. */
interface Progress {
  readonly acceptedOrder: bigint
  attempt: number
  isFinal: boolean
  /** The jobs of all its outcomes, including later ones. */
  readonly jobs: Set<string | null>
}

/** The requests with outcomes of each device, each with its jobs and before its first outcome. */
const requestsOf = (published: readonly Outcome[], acceptedOf: ReadonlyMap<string, bigint>) => {
  const devices = new Map<string, Map<bigint, Progress>>()
  for (const { id, productKey, deviceName, jobId } of published) {
    const acceptedOrder = acceptedOf.get(id)
    if (acceptedOrder === undefined) continue
    const device = `${productKey}/${deviceName}`
    const requests = devices.get(device) ?? new Map<bigint, Progress>()
    devices.set(device, requests)
    const request = requests.get(acceptedOrder) ?? {
      acceptedOrder,
      attempt: 0,
      isFinal: false,
      jobs: new Set(),
    }
    requests.set(acceptedOrder, request)
    request.jobs.add(jobId)
  }
  return devices
}

/**
 * The attempts of a request and device come in order. What is cancelled ends at once, whatever came before it. The requests of one device come in the order in which they were
 * accepted, each once the one before is final. Requests that one job carries out together may end together.
 */
export const checkOrder = ({ journal, outcomes, violations }: World): void => {
  const { store } = journal
  const acceptedOf = new Map<string, bigint>()
  for (const { moves } of store.routes.values())
    for (const { source, deviceName, attempt, acceptedOrder } of moves)
      acceptedOf.set(moveOutcomeId(source, deviceName, attempt), acceptedOrder)
  const published = outcomes.published()
  const devices = requestsOf(published, acceptedOf)

  const follow = (outcome: Outcome, request: Progress, others: Iterable<Progress>): void => {
    if (request.isFinal || outcome.attempt !== request.attempt + 1)
      violations.broken('attempts come in order', `${outcome.id} after attempt ${request.attempt}`)
    request.attempt = outcome.attempt
    request.isFinal = outcome.final
    if (outcome.code === 'cancelled') return
    for (const other of others)
      if (other.acceptedOrder < request.acceptedOrder && !other.isFinal && !other.jobs.has(outcome.jobId))
        violations.broken(
          'requests of a device are carried out in order',
          `${outcome.id} (acceptance ${request.acceptedOrder}) before the end of acceptance ${other.acceptedOrder}`,
        )
  }

  for (const outcome of published) {
    const requests = devices.get(`${outcome.productKey}/${outcome.deviceName}`)
    const request = requests?.get(acceptedOf.get(outcome.id) ?? -1n)
    if (requests !== undefined && request !== undefined) follow(outcome, request, requests.values())
  }
}
