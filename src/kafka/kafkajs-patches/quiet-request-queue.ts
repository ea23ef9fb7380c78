/**
 * Patch of kafkajs 2.2.4, `src/network/requestQueue/index.js`, line 306: every connection re-arms a 1 ms timer for ever,
 * which makes 880 wake-ups a second and takes 3 % of a core (https://github.com/tulios/kafkajs/issues/1556, #1704, #1751).
 * A release with pull request #1667 or one like it would make this file unnecessary.
 */
import { createRequire } from 'node:module'

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

const patched = new WeakSet<object>()

/** Lets a connection arm its timer only while a request is queued or throttled. Other releases are left as they are. */
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
