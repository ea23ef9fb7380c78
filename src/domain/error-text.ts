/** What can be read off whatever was thrown. Errors of another realm count too: a test runner has its own `Error`. */
const fieldOf = (error: unknown, name: 'message' | 'code'): string | null => {
  if (typeof error !== 'object' || error === null || !(name in error)) return null
  const value = (error as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : null
}

/** The error's message, without its stack. */
export const messageOf = (error: unknown): string => fieldOf(error, 'message') ?? String(error)

/** The error's code, of the system (`ENOENT`) or of a server (`23505`); null when it has none. */
export const codeOf = (error: unknown): string | null => fieldOf(error, 'code')
