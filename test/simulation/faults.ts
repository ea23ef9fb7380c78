/** Every kind of fault. Each is drawn with the rate that the seed's plan gives it, and counted. */
export const faultKinds = [
  // the provider's calls
  'throttled',
  'answer lost',
  'call lost',
  'call not sent',
  'call slow',
  'create run late',
  'code unknown',
  'account refused',
  'batch refused',
  'many bad devices',
  'route refused',
  'slots full, code unknown',
  // its jobs
  'list late',
  'stranger in the list',
  'look-alike in the list',
  'job interrupted',
  'job interrupted, no file',
  'job forgotten',
  'storm of interruptions',
  'job never ends',
  'device failed, worth a retry',
  'device failed for good',
  'row missing',
  'row missing, device moved',
  // its result files
  'file late',
  'file partial',
  'file expired',
  'file unreachable',
  'file unreadable',
  'look-up useless',
  // the journal
  'journal refused',
  'commit answer lost',
  'journal slow',
  'journal cut off',
  'notification lost',
  'database older',
  // processes
  'crash',
  'crash at a step',
  'freeze',
  'freeze at a step',
  'stop',
  // the source
  'request sent twice',
  'request repeated',
  'bad record',
  'rebalance',
  // operators
  'route cancelled',
  'topic made anew',
  // the sink
  'publish aborted',
  'publish answer lost',
  'sink refused',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Faults {
  /** Draws whether the fault happens now, and counts it if so. It never happens after `calm` was called. */
  hit(kind: FaultKind): boolean
  /** Counts a fault that was decided elsewhere. */
  met(kind: FaultKind): void
  /** No fault happens from now on. */
  calm(): void
  readonly isCalm: () => boolean
  readonly counts: ReadonlyMap<FaultKind, number>
}

/** `rates` are probabilities for each draw, 0 to 1. A kind without a rate never happens. */
export const createFaults = (
  rates: Readonly<Partial<Record<FaultKind, number>>>,
  random: () => number,
): Faults => {
  const counts = new Map<FaultKind, number>()
  let isCalm = false
  const met = (kind: FaultKind): void => {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return {
    hit: kind => {
      const rate = rates[kind] ?? 0
      if (isCalm || rate === 0 || random() >= rate) return false
      met(kind)
      return true
    },
    met,
    calm: () => {
      isCalm = true
    },
    isCalm: () => isCalm,
    counts,
  }
}
