/** A local server could not be had; the text says why and what to do. */
export class EmbeddedServerError extends Error {
  override readonly name: string = 'EmbeddedServerError'
}

/** The directory that was named cannot hold its data. */
export class NoPlaceError extends EmbeddedServerError {
  override readonly name = 'NoPlaceError'
}

const fieldOf = (error: unknown, name: 'message' | 'code' | 'stdout'): string | undefined =>
  typeof error === 'object' && error !== null && name in error
    ? String((error as Readonly<Record<string, unknown>>)[name])
    : undefined

/** The text of whatever was thrown, by this realm's Error or another's (a test runner has its own). */
export const reasonOf = (error: unknown): string => fieldOf(error, 'message') ?? String(error)

/** The system's code of an error (ENOENT), if it has one. */
export const codeOf = (error: unknown): string | undefined => fieldOf(error, 'code')

/** What a command that failed had written. */
export const outputOf = (error: unknown): string => fieldOf(error, 'stdout') ?? ''
