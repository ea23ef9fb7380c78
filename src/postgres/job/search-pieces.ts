/** Puts other batches in place of one that was refused: its halves, the pieces of a search, or the search as a whole. */
import type { PoolClient } from 'pg'
import type { SearchPart } from '../../domain/job'
import { type BatchMove, deviceNamesOf } from '../../domain/job'
import { halveBatch } from '../../domain/refusal'
import { carveBatch, drawNames, type SearchStep } from '../../domain/search'
import { setWaiting } from '../claim/claim-range'
import { type JobRow, lockClaimedOfFamily, lockJob, movesOfJob } from './job-row'

interface Part {
  readonly search: SearchPart | null
  readonly moves: readonly BatchMove[]
}

const insertPart = `
  insert into job (route_id, from_seq, to_seq, moves, devices, refusals, inherited_refusals, split_from, family, search)
  values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)`

const endAsRefused = `
  update job set status = 'refused', ended_as = 'refused', refusals = refusals + $3, last_error = $2, held_at = null,
                 held_reason = null, held_with_route = false
  where job_id = $1`

/** Moves of devices that an earlier part sends wait for it. */
const waitBehind = async (
  client: PoolClient,
  { routeId }: JobRow,
  behind: ReadonlyMap<bigint, bigint>,
): Promise<void> => {
  if (behind.size === 0) return
  const { rows } = await client.query<{ seq: bigint; acceptedOrder: bigint }>(
    'select seq, accepted as "acceptedOrder" from move where route_id = $1 and seq = any($2::bigint[])',
    [routeId, [...behind.values()]],
  )
  const acceptedAt = new Map(rows.map(row => [row.seq, row.acceptedOrder]))
  await setWaiting(client, {
    routeId,
    seqs: [...behind.keys()],
    waitsFor: [...behind.values()].map(seq => acceptedAt.get(seq) ?? 0n),
  })
}

/** Puts claimed jobs over the parts of a job's range in place of it. `counted`: refusals that the parts inherit from it. */
const cutJob = async (
  client: PoolClient,
  job: JobRow,
  parts: readonly Part[],
  behind: ReadonlyMap<bigint, bigint>,
  why: string,
  counted: 0 | 1 = 0,
): Promise<void> => {
  await waitBehind(client, job, behind)
  const starts = parts.map(({ moves }, at) => (at === 0 ? job.fromSeq : (moves[0]?.seq ?? job.toSeq)))
  for (const [at, { search, moves }] of parts.entries())
    await client.query(insertPart, [
      job.routeId,
      starts[at],
      (starts[at + 1] ?? job.toSeq + 1n) - 1n,
      moves.length,
      deviceNamesOf({ moves }).length,
      job.refusals + counted,
      job.batchId,
      job.splitRoot ?? job.batchId,
      search,
    ])
  await client.query(endAsRefused, [job.batchId, why, counted])
}

const halve = async (client: PoolClient, job: JobRow, why: string, as: SearchPart | null): Promise<void> => {
  const { first, second, behind } = halveBatch(await movesOfJob(client, job))
  const parts = [first, second].map(moves => ({ search: as, moves }))
  await cutJob(client, job, parts, behind, why, as === null ? 1 : 0)
}

/** Halves a batch that was refused with an unrecognised code. */
export const splitJob = (client: PoolClient, job: JobRow, why: string): Promise<void> =>
  halve(client, job, why, null)

const setAside = async (client: PoolClient, { batchId }: JobRow, why: string): Promise<void> => {
  await client.query(
    `update job set status = 'claimed', create_started_at = null, search = 'set-aside', last_error = $2 where job_id = $1`,
    [batchId, why],
  )
}

/** The unsent batches of a job's search, the job itself included, in the order of the log. */
const piecesOf = async (client: PoolClient, job: JobRow): Promise<JobRow[]> =>
  [job, ...(await lockClaimedOfFamily(client, job))].sort((a, b) => (a.fromSeq < b.fromSeq ? -1 : 1))

const draw = async (
  client: PoolClient,
  job: JobRow,
  numbers: readonly number[],
  why: string,
): Promise<void> => {
  const pieces: { readonly piece: JobRow; readonly moves: readonly BatchMove[] }[] = []
  for (const piece of await piecesOf(client, job))
    pieces.push({ piece, moves: await movesOfJob(client, piece) })
  const names = deviceNamesOf({ moves: pieces.flatMap(({ moves }) => moves) })
  const drawn = drawNames(names, numbers)
  for (const { piece, moves } of pieces) {
    const { parts, behind } = carveBatch(moves, drawn)
    if (parts.some(({ isDrawn }) => isDrawn))
      await cutJob(
        client,
        piece,
        parts.map(part => ({ search: part.isDrawn ? 'drawn' : 'piece', moves: part.moves })),
        behind,
        why,
      )
    // What was refused just now and holds no drawn device comes again later, the smaller the better.
    else if (piece === job && deviceNamesOf({ moves }).length > 1) await halve(client, piece, why, 'piece')
    else if (piece === job) await setAside(client, piece, why)
  }
}

const insertHeld = `
  insert into job (route_id, from_seq, to_seq, moves, devices, held_at, held_reason, last_error)
  values ($1, $2, $3, $4, $5, now(), $6, $6) returning job_id::float8 as "batchId"`

/** Puts one held batch in place of all pieces. A piece that was given up has left a gap, so there may be several. */
const holdWhole = async (client: PoolClient, job: JobRow, why: string): Promise<number> => {
  const runs: JobRow[][] = []
  for (const piece of await piecesOf(client, job)) {
    const run = runs.at(-1)
    if (run?.at(-1)?.toSeq === piece.fromSeq - 1n) run.push(piece)
    else runs.push([piece])
  }
  let held = job.batchId
  for (const run of runs) {
    const [first = job] = run
    const range = { routeId: job.routeId, fromSeq: first.fromSeq, toSeq: (run.at(-1) ?? job).toSeq }
    for (const piece of run) await client.query(endAsRefused, [piece.batchId, why, 0])
    const moves = await movesOfJob(client, range)
    const values = [range.routeId, range.fromSeq, range.toSeq, moves.length, deviceNamesOf({ moves }).length]
    const { rows } = await client.query<{ batchId: number }>(insertHeld, [...values, why])
    held = rows[0]?.batchId ?? held
  }
  return held
}

/** Emits the number of the batch that is held, else the job's own. */
export const searchStep = async (
  client: PoolClient,
  job: JobRow,
  step: SearchStep,
  why: string,
): Promise<number> => {
  if (step.kind === 'hold-search') return holdWhole(client, job, why)
  if (step.kind === 'halve') await halve(client, job, why, 'piece')
  else if (step.kind === 'draw') await draw(client, job, step.numbers, why)
  else await setAside(client, job, why)
  return job.batchId
}

// Of two halves of a piece that was refused, one was accepted: so the other is the reason. Other parts prove nothing.
const selectOtherHalf = `
  select job_id::float8 as "batchId" from job
  where family = $1 and split_from = $2 and job_id <> $3 and search = 'piece' and status = 'claimed' and held_at is null
    and devices > 1 and (select count(*) from job s where s.family = $1 and s.split_from = $2) = 2`

/** Halves the other half of a piece that was accepted, which would certainly be refused. */
export const halveOtherHalf = async (client: PoolClient, job: JobRow): Promise<void> => {
  const { rows } = await client.query<{ batchId: number }>(selectOtherHalf, [
    job.splitRoot,
    job.splitFrom,
    job.batchId,
  ])
  for (const { batchId } of rows)
    await halve(client, await lockJob(client, batchId), 'not sent: its other half was accepted', 'piece')
}
