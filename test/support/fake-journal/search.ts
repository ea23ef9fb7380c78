/** Puts other batches in place of one that was refused: its halves, the pieces of a search, or the search as a whole. */
import type { BatchMove, SearchPart } from '../../../src/domain/job'
import { halveBatch } from '../../../src/domain/refusal'
import { carveBatch, drawNames, type SearchStep } from '../../../src/domain/search'
import { insertJob, jobAsStored } from './claim'
import type { Store, StoredJob } from './store'

interface Part {
  readonly search: SearchPart | null
  readonly moves: readonly BatchMove[]
}

const seqsOf = (moves: readonly BatchMove[]): number[] => moves.map(({ seq }) => Number(seq))

const endAsRefused = (store: Store, job: StoredJob, why: string): void => {
  Object.assign(job, { status: 'refused', endedAs: 'refused', lastError: why })
  Object.assign(job, { heldBecause: null, heldWithRoute: false })
  store.unfinished.delete(job)
}

const cutJob = (
  store: Store,
  job: StoredJob,
  parts: readonly Part[],
  behind: ReadonlyMap<bigint, bigint>,
  why: string,
): void => {
  for (const [seq, before] of behind) {
    const move = store.moveAt(job.route, Number(seq))
    const waitsFor = store.moveAt(job.route, Number(before)).acceptedOrder
    job.route.leftOut.set(Number(seq), 'waiting')
    store.requeue.add({ ...move, route: job.route, dueAt: null, waitsFor })
  }
  for (const { search, moves } of parts) insertJob(store, job.route, seqsOf(moves), job, search)
  endAsRefused(store, job, why)
}

const halve = (store: Store, job: StoredJob, why: string, as: SearchPart | null): void => {
  if (as === null) job.refusals += 1
  const { first, second, behind } = halveBatch(jobAsStored(store, job).moves)
  cutJob(
    store,
    job,
    [first, second].map(moves => ({ search: as, moves })),
    behind,
    why,
  )
}

export const splitJob = (store: Store, job: StoredJob, why: string): void => halve(store, job, why, null)

const setAside = (job: StoredJob, why: string): void => {
  Object.assign(job, { status: 'claimed', createStartedAt: null, search: 'set-aside', lastError: why })
}

const piecesOf = (store: Store, job: StoredJob): StoredJob[] => [
  job,
  ...[...store.unfinished].filter(
    other => other !== job && other.splitRoot === job.splitRoot && other.status === 'claimed',
  ),
]

const namesOf = (moves: readonly BatchMove[]): string[] => [...new Set(moves.map(move => move.deviceName))]

const draw = (store: Store, job: StoredJob, numbers: readonly number[], why: string): void => {
  const pieces = piecesOf(store, job).map(piece => ({ piece, moves: jobAsStored(store, piece).moves }))
  const drawn = drawNames(namesOf(pieces.flatMap(({ moves }) => moves)), numbers)
  for (const { piece, moves } of pieces) {
    const { parts, behind } = carveBatch(moves, drawn)
    if (parts.some(({ isDrawn }) => isDrawn))
      cutJob(
        store,
        piece,
        parts.map(part => ({ search: part.isDrawn ? 'drawn' : 'piece', moves: part.moves })),
        behind,
        why,
      )
    else if (piece === job && namesOf(moves).length > 1) halve(store, piece, why, 'piece')
    else if (piece === job) setAside(piece, why)
  }
}

const holdWhole = (store: Store, job: StoredJob, why: string): number => {
  const pieces = piecesOf(store, job)
  for (const piece of pieces) endAsRefused(store, piece, why)
  const seqs = pieces.flatMap(piece => piece.seqs).sort((a, b) => a - b)
  const whole = insertJob(store, job.route, seqs)
  Object.assign(whole, { heldBecause: why, lastError: why })
  return whole.batchId
}

export const searchStep = (store: Store, job: StoredJob, step: SearchStep, why: string): number => {
  if (step.kind === 'hold-search') return holdWhole(store, job, why)
  if (step.kind === 'halve') halve(store, job, why, 'piece')
  else if (step.kind === 'draw') draw(store, job, step.numbers, why)
  else setAside(job, why)
  return job.batchId
}

/** Halves the other half of a piece that was accepted, which would certainly be refused. */
export const halveOtherHalf = (store: Store, job: StoredJob): void => {
  if (job.search !== 'piece') return
  const parts = store.jobs.filter(other => other.splitFrom === job.splitFrom)
  const other = parts.find(part => part !== job)
  if (parts.length !== 2 || other === undefined) return
  const { search, status, heldBecause } = other
  const isOne = namesOf(jobAsStored(store, other).moves).length === 1
  if (search === 'piece' && status === 'claimed' && heldBecause === null && !isOne)
    halve(store, other, 'not sent: its other half was accepted', 'piece')
}
