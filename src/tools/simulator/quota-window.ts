/** Length of the provider's sliding window, ms. */
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

export interface Breach<Op extends string> {
  readonly operation: Op
  /** ms since 1970 */
  readonly at: number
  /** Which cap was exceeded. */
  readonly cap: 'operation' | 'shared'
}

export interface QuotaWindow<Op extends string> {
  /** Counts a call that arrived at `at`; a breach means that it must be refused. */
  arrive(operation: Op, at: number): Breach<Op> | null
  /** Counts a call that is refused for another reason: it arrived, but takes nothing from the quota. */
  seen(operation: Op, at: number): void
  /** The most arrivals in any sliding second so far. */
  peaks(): Readonly<Record<string, number>>
}

/**
 * Calls in a sliding second, (at - 1 s, at], against caps per operation and, if above 0, one for all together; a cap of 0
 * is none. Two counts are kept. The peaks show every arrival, refused ones included, since that is what the provider saw.
 * What decides is by default the arrivals that were let through: a refused call takes nothing from the quota, so a caller
 * that keeps hammering still gets its share. With `refusedCount` a refused call takes from the quota too, which is the
 * harder rule; which of them the provider has is not documented.
 */
export const createQuotaWindow = <Op extends string>(
  caps: Readonly<Partial<Record<Op, number>>>,
  sharedCap: number,
  { refusedCount = false }: { readonly refusedCount?: boolean } = {},
): QuotaWindow<Op> => {
  const lanes = new Map<string, Lane>()
  const peaks: Record<string, number> = { shared: 0 }
  const lane = (name: string): Lane => {
    const found = lanes.get(name) ?? createLane()
    lanes.set(name, found)
    return found
  }
  const isFull = (name: string, cap: number, at: number) => cap > 0 && lane(`run ${name}`).countAt(at) >= cap
  const see = (name: string, at: number) => {
    const seen = lane(`seen ${name}`)
    seen.add(at)
    peaks[name] = Math.max(peaks[name] ?? 0, seen.countAt(at))
  }
  const seen = (operation: Op, at: number) => {
    see(operation, at)
    see('shared', at)
  }
  const exceeded = (operation: Op, at: number): Breach<Op>['cap'] | null => {
    if (isFull(operation, caps[operation] ?? 0, at)) return 'operation'
    return isFull('shared', sharedCap, at) ? 'shared' : null
  }
  return {
    seen,
    arrive(operation, at) {
      seen(operation, at)
      const cap = exceeded(operation, at)
      if (cap === null || refusedCount) {
        lane(`run ${operation}`).add(at)
        lane('run shared').add(at)
      }
      return cap === null ? null : { operation, at, cap }
    },
    peaks: () => ({ ...peaks }),
  }
}
