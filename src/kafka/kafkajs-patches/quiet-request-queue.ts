import { createRequire } from 'node:module'

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

const patched = new WeakSet<object>()

/**
 * kafkajs 2.2.4 re-arms a 1 ms timer on every connection for ever (880 wake-ups a second, 3 % of a core each). Lets
 * it arm only while something is queued or throttled. Any other version is left alone.
 */
export const quietRequestQueue = (): void => {
  const load = createRequire(__filename)
  const { version }: { version: string } = load('kafkajs/package.json')
  if (version !== '2.2.4') return
  const { prototype }: { prototype: RequestQueue } = load('kafkajs/src/network/requestQueue')
  if (patched.has(prototype)) return
  patched.add(prototype)
  const arm = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return
    arm.call(this)
  }
}
