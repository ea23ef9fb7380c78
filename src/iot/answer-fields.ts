/** Reading an answer of which nothing is certain: every reader says null (or nothing) rather than throwing. */

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = {}

/** The value's fields; none for whatever is no object. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : none

/** Text that is not blank. A number becomes text only while it is exact: ids beyond 2^53 have lost digits. */
export const textOf = (fields: Fields, name: string): string | null => {
  const value = fields[name]
  if (typeof value === 'string') return value.trim() === '' ? null : value
  return Number.isSafeInteger(value) ? String(value) : null
}

/** A whole number, also written as text. */
export const wholeNumberOf = (fields: Fields, name: string): number | null => {
  const text = textOf(fields, name)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** A list, bare or as the one list inside its wrapper (`{"items": […]}`); empty when there is none. */
export const listOf = (value: unknown): readonly unknown[] => {
  if (Array.isArray(value)) return value
  const inner: unknown = Object.values(fieldsOf(value)).find(Array.isArray)
  return Array.isArray(inner) ? inner : []
}
