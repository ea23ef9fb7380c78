/** What went wrong, of whatever was thrown: its message, without a stack. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
