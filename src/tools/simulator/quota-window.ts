import type { Operation } from './call'

const WINDOW_MS = 1_000

/** Instants of one kind of call during the last second. */
const createLane = () => {
  const instants: number[] = []
  return {
    countAt(at: number): number {
      while (instants[0] !== undefined && instants[0] <= at - WINDOW_MS) instants.shift()
      return instants.length
    },
    add: (at: number) => instants.push(at),
  }
}

type Lane = ReturnType<typeof createLane>

export interface Breach {
  readonly operation: Operation
  /** ms since 1970 */
  readonly at: number
  /** Which cap was exceeded. */
  readonly cap: 'operation' | 'shared'
}

export interface QuotaWindow {
  /** Counts a call that arrived at `at`; a breach means that it must be refused. */
  arrive(operation: Operation, at: number): Breach | null
  /** Counts a call that is refused for another reason: it arrived, but takes nothing from the quota. */
  seen(operation: Operation, at: number): void
  /** The most arrivals in any sliding second so far. */
  peaks(): Readonly<Record<string, number>>
}

/**
 * Calls in a sliding second, (at - 1 s, at], against caps per operation and, if above 0, one for all together.
 * Two counts are kept. What decides is the arrivals that were let through: a refused call takes nothing from the
 * quota, so a caller that keeps hammering still gets its share. What the peaks show is every arrival, refused ones
 * included, since that is what the provider saw.
 */
export const createQuotaWindow = (
  caps: Readonly<Record<Operation, number>>,
  sharedCap: number,
): QuotaWindow => {
  const lanes = new Map<string, Lane>()
  const peaks: Record<string, number> = { shared: 0 }
  const lane = (name: string): Lane => {
    const found = lanes.get(name) ?? createLane()
    lanes.set(name, found)
    return found
  }
  const full = (name: string, cap: number, at: number) => cap > 0 && lane(`run ${name}`).countAt(at) >= cap
  const see = (name: string, at: number) => {
    const seen = lane(`seen ${name}`)
    seen.add(at)
    peaks[name] = Math.max(peaks[name] ?? 0, seen.countAt(at))
  }
  const seen = (operation: Operation, at: number) => {
    see(operation, at)
    see('shared', at)
  }
  return {
    seen,
    arrive(operation, at) {
      seen(operation, at)
      if (full(operation, caps[operation], at)) return { operation, at, cap: 'operation' }
      if (full('shared', sharedCap, at)) return { operation, at, cap: 'shared' }
      lane(`run ${operation}`).add(at)
      lane('run shared').add(at)
      return null
    },
    peaks: () => ({ ...peaks }),
  }
}
