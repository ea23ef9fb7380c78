const yearTenThousand = Date.UTC(10_000, 0, 1)

/**
 * Is this a day of the calendar, at an instant from 1970 to 9999? The text must have RFC 3339's shape already
 * (`Date.parse` takes February 30 for March 2).
 */
export const isInstant = (text: string): boolean => {
  const day = Number(text.slice(8, 10))
  const atMs = Date.parse(text)
  if (!(atMs >= 0 && atMs < yearTenThousand)) return false
  return day <= 28 || new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === day
}

/** The time a record carries (ms since 1970), moved into 1970 to 9999: brokers hand on what producers claim. */
export const recordedAt = (timestampMs: number): Date =>
  new Date(Math.min(Math.max(Number.isNaN(timestampMs) ? 0 : timestampMs, 0), yearTenThousand - 1))
