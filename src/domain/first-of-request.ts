import type { MoveRequest, Rejection } from './request'

const keyOf = (requestId: string, productKey: string | null, deviceName: string): string =>
  JSON.stringify([requestId, productKey, deviceName])

/**
 * Of a request and device whose records came twice, once good and once bad, the first counts and the other is its
 * repeat. Gives the rejections of a chunk without those that repeat what an earlier record of the chunk had accepted;
 * with them the journal can tell which of the chunk's moves repeat a rejection.
 */
export const firstRejections = (
  requests: readonly MoveRequest[],
  rejections: readonly Rejection[],
): readonly Rejection[] => {
  const ids = new Set(
    rejections.flatMap(({ deviceName, requestId }) => (deviceName === null ? [] : requestId)),
  )
  const acceptedAt = new Map<string, bigint>()
  for (const { requestId, route, deviceNames, position } of requests) {
    if (!ids.has(requestId)) continue
    for (const deviceName of deviceNames) {
      const key = keyOf(requestId, route.productKey, deviceName)
      if (!acceptedAt.has(key)) acceptedAt.set(key, position.offset)
    }
  }
  return rejections.filter(({ requestId, productKey, deviceName, position }) => {
    const at = deviceName === null ? undefined : acceptedAt.get(keyOf(requestId, productKey, deviceName))
    return at === undefined || position.offset < at
  })
}
