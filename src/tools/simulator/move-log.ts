export interface MoveRecord {
  readonly jobId: string
  readonly from: string
  readonly to: string
  /** ms since 1970 */
  readonly at: number
  /** A readable result file shows it. */
  readonly told: boolean
}

/** What all moves of a job have in common; it is kept once. */
interface Entry {
  readonly jobId: string
  readonly at: number
}

const NONE = 0

/** A column of whole numbers that grows as it is filled. */
const createColumn = () => {
  let cells = new Uint32Array(1024)
  return {
    get: (at: number): number => cells[at] ?? 0,
    set(at: number, value: number): void {
      if (at >= cells.length) {
        const old = cells
        cells = new Uint32Array(Math.max(at + 1, old.length * 2))
        cells.set(old)
      }
      cells[at] = value
    },
  }
}

/** Gives each text a number, so that texts that occur often are kept once. */
const createNumbering = () => {
  const numbers = new Map<string, number>()
  const texts: string[] = []
  return {
    textOf: (number: number): string => texts[number] ?? '',
    numberOf(text: string): number {
      const known = numbers.get(text)
      if (known !== undefined) return known
      numbers.set(text, texts.length)
      return texts.push(text) - 1
    },
  }
}

/** Every move of every device. Each names the one before it of its device; positions are 1-based, and 0 ends the chain. */
export const createMoveLog = () => {
  const instances = createNumbering()
  const jobs = createNumbering()
  const entries: Entry[] = []
  const [here, last] = [createColumn(), createColumn()]
  const [previous, job, route, times] = [createColumn(), createColumn(), createColumn(), createColumn()]
  let length = 0
  let [movedOnce, movedMoreThanOnce] = [0, 0]

  const moveAt = (position: number): MoveRecord => {
    const entry = entries[job.get(position)]
    // `from`, `to` and `told` share a cell: 15 bits for each instance are enough for 32,000 of them.
    const cell = route.get(position)
    return {
      jobId: entry?.jobId ?? '',
      at: entry?.at ?? 0,
      from: instances.textOf((cell >>> 1) & 0x7fff),
      to: instances.textOf(cell >>> 16),
      told: (cell & 1) === 1,
    }
  }

  return {
    startAt: (device: number, instanceId: string): void => here.set(device, instances.numberOf(instanceId)),
    instanceOf: (device: number): string => instances.textOf(here.get(device)),
    append(
      device: number,
      move: { jobId: string; at: number; sourceInstanceId: string; targetInstanceId: string; told: boolean },
    ): void {
      const jobNumber = jobs.numberOf(move.jobId)
      entries[jobNumber] ??= { jobId: move.jobId, at: move.at }
      const position = ++length
      const before = last.get(device)
      const to = instances.numberOf(move.targetInstanceId)
      previous.set(position, before)
      job.set(position, jobNumber)
      route.set(
        position,
        ((to << 16) | (instances.numberOf(move.sourceInstanceId) << 1) | (move.told ? 1 : 0)) >>> 0,
      )
      times.set(device, times.get(device) + 1)
      last.set(device, position)
      here.set(device, to)
      if (times.get(device) === 1) movedOnce++
      if (times.get(device) === 2) {
        movedOnce--
        movedMoreThanOnce++
      }
    },
    lastMoveOf: (device: number): MoveRecord | null =>
      last.get(device) === NONE ? null : moveAt(last.get(device)),
    movesOf(device: number): MoveRecord[] {
      const moves: MoveRecord[] = []
      for (let at = last.get(device); at !== NONE; at = previous.get(at)) moves.push(moveAt(at))
      return moves.reverse()
    },
    counts: () => ({ moves: length, movedOnce, movedMoreThanOnce }),
  }
}
