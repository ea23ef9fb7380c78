/** Lowest offset still there, and the one the next record will get. */
export interface Watermarks {
  readonly low: bigint
  readonly high: bigint
}

/** Where to read a partition on. */
export type Place =
  /** The journal knows nothing of it: the group's committed offset, else the beginning. */
  | { readonly kind: 'as-committed' }
  | { readonly kind: 'at'; readonly offset: bigint }
  /** Records the journal has not seen were deleted: go on with the first that is left, and sound the alarm. */
  | { readonly kind: 'after-gap'; readonly offset: bigint; readonly missing: bigint }
  /** The journal has seen more than was ever written: not the same log. Reading it would skip records. */
  | { readonly kind: 'beyond-end' }

/** `position`: next offset by the journal's word. */
export const placeOf = (position: bigint | undefined, { low, high }: Watermarks): Place => {
  if (position === undefined) return { kind: 'as-committed' }
  if (position > high) return { kind: 'beyond-end' }
  if (position < low) return { kind: 'after-gap', offset: low, missing: low - position }
  return { kind: 'at', offset: position }
}
