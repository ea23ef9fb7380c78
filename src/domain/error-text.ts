/** Reads the message and the code of a thrown value. */

/** Reads a text field of any object, because an error of another realm is no instance of our `Error`. */
const fieldOf = (error: unknown, name: 'message' | 'code'): string | null => {
  if (typeof error !== 'object' || error === null || !(name in error)) return null
  const value = (error as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : null
}

/** The message of an error without its stack, or any other thrown value as text. */
export const messageOf = (error: unknown): string => fieldOf(error, 'message') ?? String(error)

/** The code of an error, from the system (`ENOENT`) or from a server (`23505`). null: it has none. */
export const codeOf = (error: unknown): string | null => fieldOf(error, 'code')
