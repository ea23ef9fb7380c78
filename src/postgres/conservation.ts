import type { Queries } from './in-snapshot'

/** The view of that name: every move taken in, by where it is. */
export interface Conservation {
  readonly accepted: number
  readonly moved: number
  readonly failed: number
  readonly rejected: number
  readonly superseded: number
  readonly duplicate: number
  readonly pending: number
  readonly in_flight: number
  readonly retrying: number
  readonly held: number
  readonly gap: number
}

/** @throws while the database cannot be reached */
export const readConservation = async (from: Queries): Promise<Conservation> => {
  const { rows } = await from.query<Record<keyof Conservation, string>>(
    'select * from device_move.conservation',
  )
  const [row] = rows
  if (row === undefined) throw new Error('the view conservation has no row')
  const count = (name: keyof Conservation): number => Number(row[name])
  return {
    accepted: count('accepted'),
    moved: count('moved'),
    failed: count('failed'),
    rejected: count('rejected'),
    superseded: count('superseded'),
    duplicate: count('duplicate'),
    pending: count('pending'),
    in_flight: count('in_flight'),
    retrying: count('retrying'),
    held: count('held'),
    gap: count('gap'),
  }
}
