import { createWriteStream } from 'node:fs'
import { access, constants, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeResult } from '../domain/event'
import { finalOutcomes } from '../postgres/final-outcomes'
import type { Pool } from '../postgres/pool'
import { CommandError, exitCode } from './exit-code'

export interface WrittenResults {
  readonly written: number
  /** Failed or rejected ones among them. */
  readonly bad: number
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Ends the command if a file of results could not take the place of `out`, before anything is done. */
export const checkOut = async (out: string): Promise<void> => {
  const refuse = (why: string): never => {
    throw new CommandError(`--out ${out}: ${why}`, exitCode.usage)
  }
  await access(dirname(resolve(out)), constants.W_OK).catch(error => refuse(reasonOf(error)))
  const found = await stat(out).catch(() => null)
  // A device or a pipe would be replaced by the file.
  if (found !== null && !found.isFile())
    refuse('it is there and no file; without --out results go to standard output')
}

const toStdout = (lines: AsyncIterable<string>): Promise<void> =>
  pipeline(Readable.from(lines), process.stdout, { end: false })

const toFile = async (lines: AsyncIterable<string>, out: string): Promise<void> => {
  const partial = `${out}.${process.pid}.part`
  try {
    await pipeline(Readable.from(lines), createWriteStream(partial))
    await rename(partial, out)
  } finally {
    await rm(partial, { force: true })
  }
}

/**
 * All final outcomes of the run `topic` as NDJSON, from the journal: so the file is whole and each device stands in
 * it once, however often the run was interrupted. It appears at once, when it is complete.
 * @throws CommandError when they cannot be written; they stay in the journal
 */
export const writeResults = async (
  pool: Pool,
  topic: string,
  out: string | null,
): Promise<WrittenResults> => {
  let written = 0
  let bad = 0
  async function* lines(): AsyncGenerator<string> {
    for await (const outcome of finalOutcomes(pool, topic)) {
      written += 1
      if (outcome.outcome !== 'moved') bad += 1
      yield `${encodeResult(outcome, { cloudEvents: false }).value}\n`
    }
  }
  await (out === null ? toStdout(lines()) : toFile(lines(), out)).catch((error: unknown) => {
    throw new CommandError(
      `The results cannot be written: ${reasonOf(error)}. Start the same command again to have them.`,
    )
  })
  return { written, bad }
}
