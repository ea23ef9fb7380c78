/** What `status` says of jobs that a restored database has forgotten. */
import type { Queries } from '../session/transaction'
import { looksLikeForgotten } from '../shared-sql'

export interface HeldForgottenJob {
  /** The provider's JobId. */
  readonly jobId: string
  readonly devices: number
  readonly why: string
}

export interface ForgottenStatus {
  /** A restore was accepted, and the provider's jobs are not listed yet. Nothing is sent before. */
  readonly isUnlisted: boolean
  /** Why List could not show them; null: nothing is known to be wrong. */
  readonly listError: string | null
  /** Jobs made since the backup that are read before the routes that look like them go on. */
  readonly unread: number
  /** Jobs whose results cannot be had whole, the oldest first, at most 20. */
  readonly held: readonly HeldForgottenJob[]
}

const selectUnlisted = `
  select max(list_error) as "listError", count(*)::integer as restores from accepted_restore where jobs_listed_at is null`

const countUnread = `
  select count(*)::integer as unread from forgotten_job f
  where f.status = 'open' and f.held_reason is null
    and exists (select from route r where ${looksLikeForgotten('f', 'r')})`

export const readForgotten = async (from: Queries): Promise<ForgottenStatus> => {
  const unlisted = await from.query<{ restores: number; listError: string | null }>(selectUnlisted)
  const open = await from.query<{ unread: number }>(countUnread)
  const held = await from.query<HeldForgottenJob>(
    `select provider_job_id as "jobId", total as devices, held_reason as why from forgotten_job
     where status = 'open' and held_reason is not null order by provider_created_at limit 20`,
  )
  return {
    isUnlisted: (unlisted.rows[0]?.restores ?? 0) > 0,
    listError: unlisted.rows[0]?.listError ?? null,
    unread: open.rows[0]?.unread ?? 0,
    held: held.rows,
  }
}
