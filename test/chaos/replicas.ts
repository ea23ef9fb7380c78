import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { CliProcess } from '../support/cli-process'

export interface ReplicasOptions {
  readonly count: number
  /** Starts the replica of that number. */
  readonly run: (index: number) => CliProcess
  /** Directory of their logs. */
  readonly logs: string
  readonly say: (text: string) => void
}

export interface Replicas {
  /** The replica that took the lease last; null if no replica that is up holds it. */
  driver(): number | null
  /** Replicas that are neither killed nor frozen. */
  isUp(index: number): boolean
  /** Kills it with SIGKILL, and starts a new one after `downMs`. */
  kill(index: number, downMs: number): Promise<void>
  freeze(index: number, forMs: number): Promise<void>
  /** How often a replica ended by itself. It is then started again, as a supervisor does. */
  exits(): number
  /** Kills all of them for good. */
  stop(): Promise<void>
}

interface Slot {
  process: CliProcess
  isKilled: boolean
  isFrozen: boolean
}

const restartMs = 1_000

/** When its log says that it holds the lease, if that is its last line about the lease; ms since 1970. */
const heldSince = (process: CliProcess): number | null => {
  const last = process.stderr.findLast(
    line => line.includes('"lease-held"') || line.includes('"standing-by"'),
  )
  if (last === undefined || !last.includes('"lease-held"')) return null
  return (JSON.parse(last) as { time: number }).time
}

/** Replicas of the service under a supervisor that starts each of them again after its end. */
export const startReplicas = ({ count, run, logs, say }: ReplicasOptions): Replicas => {
  let [isStopping, starts, exits] = [false, 0, 0]

  const launch = (index: number): CliProcess => {
    const process = run(index)
    const log = createWriteStream(join(logs, `replica-${index}.${starts++}.log`))
    process.child.stderr?.pipe(log)
    return process
  }

  const slots = Array.from({ length: count }, (_, index): Slot => {
    const slot: Slot = { process: launch(index), isKilled: false, isFrozen: false }
    watch(index, slot)
    return slot
  })

  function watch(index: number, slot: Slot): void {
    slot.process.ended.then(async how => {
      if (isStopping || slot.isKilled) return
      exits += 1
      slot.isKilled = true
      say(`replica ${index} ended by itself (${how}): ${slot.process.stderr.at(-1) ?? ''}`)
      await pause(restartMs)
      revive(index, slot)
    })
  }

  function revive(index: number, slot: Slot): void {
    if (isStopping) return
    slot.process = launch(index)
    slot.isKilled = false
    slot.isFrozen = false
    watch(index, slot)
  }

  const slotOf = (index: number): Slot => {
    const slot = slots[index]
    if (slot === undefined) throw new Error(`no replica ${index}`)
    return slot
  }
  const isUp = (index: number): boolean => !slotOf(index).isKilled && !slotOf(index).isFrozen

  return {
    isUp,
    driver: () => {
      const held = slots
        .map((slot, index) => ({ index, since: isUp(index) ? heldSince(slot.process) : null }))
        .flatMap(({ index, since }) => (since === null ? [] : [{ index, since }]))
        .sort((a, b) => b.since - a.since)
      return held[0]?.index ?? null
    },
    kill: async (index, downMs) => {
      const slot = slotOf(index)
      slot.isKilled = true
      slot.process.kill('SIGKILL')
      await slot.process.ended
      await pause(downMs)
      revive(index, slot)
    },
    freeze: async (index, forMs) => {
      const slot = slotOf(index)
      const frozen = slot.process
      slot.isFrozen = true
      frozen.kill('SIGSTOP')
      await pause(forMs)
      frozen.kill('SIGCONT')
      if (slot.process === frozen) slot.isFrozen = false
    },
    exits: () => exits,
    stop: async () => {
      isStopping = true
      for (const { process } of slots) process.kill('SIGKILL')
      await Promise.all(slots.map(({ process }) => process.ended))
    },
  }
}
