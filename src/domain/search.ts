/**
 * The search for the bad devices of a batch that was refused because of some of them. The batch is halved until its
 * pieces are accepted or have one device. With k bad devices among n it takes at most about 2·k·log2(n/k) + 2·k creates.
 */
import type { BatchMove, Search } from './job'

/** The search that begins with the refusal of a batch. */
export const newSearch = (devices: number): Search => ({
  part: 'piece',
  devices,
  refusals: 0,
  hasAccepted: false,
  drawnLeft: 0,
})

/** So many single devices are drawn. Batches with fewer devices are searched without a draw. */
export const drawnDevices = 10

export type SearchDecision =
  /** Halve the piece. */
  | { readonly kind: 'halve' }
  /** The piece is one device, and the device is the reason: its moves fail finally. */
  | { readonly kind: 'fail' }
  /** Try single devices of the whole search, drawn by these numbers from 0 up to 1, before anything else. */
  | { readonly kind: 'draw'; readonly numbers: readonly number[] }
  /** The drawn device waits until the others are tried. */
  | { readonly kind: 'set-aside' }
  /** All drawn devices were refused, so devices are not the reason: the search is held, whole again. */
  | { readonly kind: 'hold-search' }

/** What is done with a piece that does not fail. */
export type SearchStep = Exclude<SearchDecision, { readonly kind: 'fail' }>

/**
 * Decides about a piece of `devices` devices that was refused. No device fails before something of the search was
 * accepted, unless the search began with fewer than ten devices.
 */
export const decideOnPiece = (search: Search, devices: number, random: () => number): SearchDecision => {
  if (search.hasAccepted || search.devices < drawnDevices)
    return devices > 1 ? { kind: 'halve' } : { kind: 'fail' }
  if (search.part === 'drawn') return search.drawnLeft > 1 ? { kind: 'set-aside' } : { kind: 'hold-search' }
  const enough = 2 * Math.log2(search.devices)
  if (devices > 1 && search.refusals + 1 < enough) return { kind: 'halve' }
  return { kind: 'draw', numbers: Array.from({ length: drawnDevices }, random) }
}

/** Draws distinct names, one by each number from 0 up to 1, as long as there are names. */
export const drawNames = (names: readonly string[], numbers: readonly number[]): ReadonlySet<string> => {
  const left = [...names]
  const drawn = new Set<string>()
  for (const number of numbers) {
    const [name] = left.splice(Math.floor(number * left.length), 1)
    if (name !== undefined) drawn.add(name)
  }
  return drawn
}

export interface CarvedPart {
  readonly isDrawn: boolean
  /** In the order of the batch, and all before those of the next part. */
  readonly moves: readonly BatchMove[]
}

export interface CarvedBatch {
  readonly parts: readonly CarvedPart[]
  /** As in a batch that is halved: later moves of devices that an earlier part sends, by position. */
  readonly behind: ReadonlyMap<bigint, bigint>
}

/** Cuts a batch so that each drawn device of it is a part of its own. */
export const carveBatch = (moves: readonly BatchMove[], drawn: ReadonlySet<string>): CarvedBatch => {
  const parts: { readonly isDrawn: boolean; readonly moves: BatchMove[] }[] = []
  const lastOf = new Map<string, { readonly part: object; readonly seq: bigint }>()
  const behind = new Map<bigint, bigint>()
  for (const move of moves) {
    const isDrawn = drawn.has(move.deviceName)
    const before = lastOf.get(move.deviceName)
    let part = parts.at(-1)
    if (before !== undefined && before.part !== part) {
      behind.set(move.seq, before.seq)
      continue
    }
    if (part === undefined || (before === undefined && (isDrawn || part.isDrawn))) {
      part = { isDrawn, moves: [] }
      parts.push(part)
    }
    part.moves.push(move)
    lastOf.set(move.deviceName, { part, seq: move.seq })
  }
  return { parts, behind }
}
