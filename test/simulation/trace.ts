import type { Clock } from './clock'

/** What happened in a run, in order, each line with its virtual time and process. */
export interface Trace {
  /** Calls `text` only if the trace is kept. */
  note(who: string, text: () => string): void
  readonly lines: readonly string[]
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(3).padStart(9)} s`

export const createTrace = (clock: Clock, isKept: boolean): Trace => {
  const lines: string[] = []
  const startAt = clock.now()
  return {
    lines,
    note: (who, text) => {
      if (isKept) lines.push(`${seconds(clock.now() - startAt)}  ${who.padEnd(9)} ${text()}`)
    },
  }
}
