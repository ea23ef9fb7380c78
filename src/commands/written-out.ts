import type { Writable } from 'node:stream'

/** Resolves when all that was written to `stream` so far has left this process, or never will. */
export const writtenOut = async (stream: Writable): Promise<void> => {
  if (stream.writableLength > 0) await new Promise<void>(resolve => stream.write('', () => resolve()))
}
