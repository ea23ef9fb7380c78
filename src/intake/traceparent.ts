const shape = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** A W3C trace context as it came, or null: one that breaks the shape is dropped, never a reason to reject. */
export const validTraceparent = (value: unknown): string | null =>
  typeof value === 'string' && shape.test(value) ? value : null
