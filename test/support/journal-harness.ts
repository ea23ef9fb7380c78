/** The journal's contract suite runs on harnesses: one over the fake, one over PostgreSQL. */
import { firstValueFrom } from 'rxjs'
import type { LookUp } from '../../src/domain/look-up'
import type { DriveJournal, IntakeJournal, Outbox } from '../../src/ports/journal'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { cancelRoute } from '../../src/postgres/job/cancel-moves'
import { createDriveJournal } from '../../src/postgres/job/drive-journal'
import { readJobEvidence } from '../../src/postgres/job/evidence'
import { createRouteControl } from '../../src/postgres/job/route-hold'
import { createOutbox } from '../../src/postgres/outbox/outbox'
import type { Pool } from '../../src/postgres/session/session'
import { createFakeJournal } from './fake-journal'
import type { Conservation } from './fake-journal/conservation'
import { createJournalDatabase, type JournalDatabase } from './journal-database'

export interface HarnessOptions {
  readonly batchMaxDevices: number
  readonly batchMaxWaitMs: number
}

export interface Evidence {
  readonly files: readonly string[]
  readonly lookUps: readonly LookUp[]
}

export interface JournalHarness {
  readonly intake: IntakeJournal
  readonly outbox: Outbox
  drive(epoch?: bigint): DriveJournal
  /** Gives the lease to another epoch. */
  takeOver(): Promise<bigint>
  /** Does nothing where there is no such route. */
  holdRoute(routeId: number, isHeld: boolean): Promise<void>
  /** null: not held. */
  routeHold(routeId: number): Promise<{ readonly kind: string; readonly reason: string } | null>
  /** Lets the time pass until a refused route is tried again. */
  passTimeToTry(routeId: number): Promise<void>
  cancelRoute(routeId: number): Promise<{ readonly cancelled: number; readonly inFlight: number }>
  /** What is kept with a job. Files are texts, the oldest first. */
  evidence(batchId: number): Promise<Evidence>
  releaseJob(batchId: number): Promise<void>
  /** A claim of more moves of the route runs into a time limit from now on; null lifts that. */
  limitClaims(routeId: number, most: number | null): Promise<void>
  /** null: not held. */
  heldReason(batchId: number): Promise<string | null>
  lastError(batchId: number): Promise<string | null>
  /** Records that were deleted before they were taken in. */
  lostRecords(): Promise<number>
  /** What the counters say. */
  conservation(): Promise<Conservation>
  /** The same figures, counted from the rows. */
  recount(): Promise<Conservation>
}

export interface JournalUnderTest {
  /** An empty journal. */
  open(options: HarnessOptions): Promise<JournalHarness>
  close(): Promise<void>
}

const textOf = ({ body }: { readonly body: Uint8Array }): string => Buffer.from(body).toString()

export const fakeUnderTest = (): JournalUnderTest => ({
  open: async options => {
    const limits = new Map<number, number | null>()
    const journal = createFakeJournal({ ...options, claimLimit: routeId => limits.get(routeId) ?? null })
    return {
      intake: journal.intake,
      outbox: journal.outbox,
      drive: epoch => journal.drive(epoch),
      takeOver: async () => journal.takeOver(),
      holdRoute: async (routeId, isHeld) => {
        if (routeId > journal.store.routes.size) return
        if (isHeld) journal.holdRoute(routeId, 'test')
        else journal.releaseRoute(routeId)
      },
      routeHold: async routeId => {
        const route = [...journal.store.routes.values()].find(each => each.routeId === routeId)
        const { heldBecause, heldKind } = route ?? { heldBecause: null, heldKind: null }
        return heldBecause === null ? null : { kind: heldKind ?? '', reason: heldBecause }
      },
      passTimeToTry: async routeId => {
        for (const route of journal.store.routes.values()) if (route.routeId === routeId) route.retryAt = 0
      },
      cancelRoute: async routeId => journal.cancelRoute(routeId),
      evidence: async batchId => {
        const { resultFiles, lookUps } = journal.store.job(batchId)
        return { files: resultFiles.map(textOf), lookUps }
      },
      releaseJob: async batchId => journal.releaseJob(batchId),
      limitClaims: async (routeId, most) => {
        limits.set(routeId, most)
      },
      heldReason: async batchId => journal.store.job(batchId).heldBecause,
      lastError: async batchId => journal.store.job(batchId).lastError,
      lostRecords: async () =>
        [...journal.store.consumed.values()].reduce((sum, { lostRecords }) => sum + Number(lostRecords), 0),
      conservation: async () => journal.recount(),
      recount: async () => journal.recount(),
    }
  },
  close: async () => undefined,
})

const emptied = `
  drop trigger if exists limit_claims on route_claims;
  truncate move, left_out, job, outcome, requeue, release_due, rejection, outbox, published, result_file, consumed, route_claims,
    route_intake, route restart identity cascade;
  update lease set epoch = 1; update outbox_counter set last_id = 0`

/** The server gives a claim up as it does after `statement_timeout`, but by the size of its range. */
const claimsLimited = `
  create table if not exists claim_limit (route_id integer primary key, most bigint not null);
  create or replace function limit_claims() returns trigger language plpgsql as $$
  begin
    if new.claimed - old.claimed > (select most from claim_limit where route_id = new.route_id) then
      raise exception 'canceling statement due to statement timeout' using errcode = '57014';
    end if;
    return new;
  end $$;
  create or replace trigger limit_claims before update on route_claims for each row execute function limit_claims()`

export const emptyJournal = async (pool: Pool): Promise<void> => {
  await pool.query(emptied)
}

const counted = `
  with states as (select state, count(*) as n from device_move.moves group by state),
  repeats as (select (select count(*) from left_out where reason = 'duplicate')
                     + (select coalesce(sum(repeated_rejections), 0) from consumed) as n),
  taken as (select (select count(distinct accepted) from move) + (select count(*) from rejection)
                   + (select coalesce(sum(repeated_rejections), 0) from consumed) as n),
  counts as (select s.name, coalesce(states.n, 0) as n
             from unnest(array['moved', 'failed', 'rejected', 'superseded', 'pending', 'in_flight', 'retrying', 'held'])
               as s (name) left join states on states.state = s.name
             union all select 'duplicate', n from repeats)
  select name, n::integer from counts
  union all select 'accepted', n::integer from taken
  union all select 'gap', (taken.n - (select sum(n) from counts))::integer from taken`

export const readConservation = async (pool: Pool): Promise<Conservation> => {
  const { rows } = await pool.query<Record<keyof Conservation, bigint>>(
    'select * from device_move.conservation',
  )
  return Object.fromEntries(
    Object.entries(rows[0] ?? {}).map(([name, n]) => [name, Number(n)]),
  ) as Conservation
}

export const recountFromViews = async (pool: Pool): Promise<Conservation> => {
  const { rows } = await pool.query<{ name: string; n: number }>(counted)
  return Object.fromEntries(rows.map(row => [row.name, row.n])) as Conservation
}

/** The journal over a migrated database. */
export const harnessOn = (pool: Pool, options: HarnessOptions): JournalHarness => ({
  intake: createIntakeJournal(pool),
  outbox: createOutbox(pool),
  drive: (epoch = 1n) => createDriveJournal(pool, epoch, options),
  takeOver: async () => {
    const { rows } = await pool.query<{ epoch: bigint }>('update lease set epoch = epoch + 1 returning epoch')
    return rows[0]?.epoch ?? 0n
  },
  holdRoute: async (routeId, isHeld) => {
    const routes = createRouteControl(pool)
    await firstValueFrom(isHeld ? routes.hold(routeId, 'test') : routes.release(routeId))
  },
  routeHold: async routeId => {
    const { rows } = await pool.query<{ held_kind: string | null; held_reason: string | null }>(
      'select held_kind, held_reason from device_move.routes where route_id = $1',
      [routeId],
    )
    const { held_kind, held_reason } = rows[0] ?? { held_kind: null, held_reason: null }
    return held_kind === null ? null : { kind: held_kind, reason: held_reason ?? '' }
  },
  passTimeToTry: async routeId => {
    await pool.query(
      `update route set retry_at = now() - interval '1 second' where route_id = $1 and retry_at is not null`,
      [routeId],
    )
  },
  cancelRoute: async routeId => {
    const cancelled = await firstValueFrom(cancelRoute(pool, routeId))
    if (cancelled === null) throw new Error(`there is no route ${routeId}`)
    return cancelled
  },
  evidence: async batchId => {
    const found = await readJobEvidence(pool, String(batchId))
    if (found === null) throw new Error(`there is no job ${batchId}`)
    return { files: found.files.map(body => textOf({ body })), lookUps: found.lookUps }
  },
  limitClaims: async (routeId, most) => {
    await pool.query(claimsLimited)
    await pool.query('delete from claim_limit where route_id = $1', [routeId])
    if (most !== null) await pool.query('insert into claim_limit values ($1, $2)', [routeId, most])
  },
  releaseJob: async batchId => {
    await pool.query(
      'update job set held_at = null, held_reason = null, releases = releases + 1 where job_id = $1',
      [batchId],
    )
  },
  heldReason: async batchId => {
    const { rows } = await pool.query<{ held_reason: string | null }>(
      'select held_reason from job where job_id = $1',
      [batchId],
    )
    return rows[0]?.held_reason ?? null
  },
  lastError: async batchId => {
    const { rows } = await pool.query<{ last_error: string | null }>(
      'select last_error from job where job_id = $1',
      [batchId],
    )
    return rows[0]?.last_error ?? null
  },
  lostRecords: async () => {
    const { rows } = await pool.query<{ n: number }>(
      'select coalesce(sum(lost_records), 0)::integer as n from consumed',
    )
    return rows[0]?.n ?? 0
  },
  conservation: () => readConservation(pool),
  recount: () => recountFromViews(pool),
})

export const postgresUnderTest = (): JournalUnderTest => {
  // The database is made before the first test only: a suite is loaded even when none of its tests runs.
  let prepared: Promise<JournalDatabase> | null = null
  return {
    open: async options => {
      prepared ??= createJournalDatabase()
      const { pool } = await prepared
      await emptyJournal(pool)
      return harnessOn(pool, options)
    },
    close: async () => {
      if (prepared !== null) await (await prepared).drop()
    },
  }
}
