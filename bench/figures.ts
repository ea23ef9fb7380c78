import { readFileSync } from 'node:fs'

/** Label, figure, and its limit for people. */
export type Figure = readonly [label: string, value: string | number, limit?: string]

export const print = (figures: readonly Figure[]): void => {
  const width = Math.max(...figures.map(([label]) => label.length))
  for (const [label, value, limit = ''] of figures)
    console.log(`  ${label.padEnd(width)}  ${String(value).padStart(12)}  ${limit}`)
}

/** Highest resident memory of a process so far, MB (Linux). */
export const peakRssMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
