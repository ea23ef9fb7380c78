import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeResult } from '../domain/event'
import { finalOutcomes } from '../postgres/final-outcomes'
import type { Pool } from '../postgres/pool'
import { CommandError } from './exit-code'
import { draftOf, type ResultPlace } from './result-place'

export interface WrittenResults {
  readonly written: number
  /** Failed or rejected ones among them. */
  readonly bad: number
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const toStdout = (lines: AsyncIterable<string>): Promise<void> =>
  pipeline(Readable.from(lines), process.stdout, { end: false })

const toFile = async (lines: AsyncIterable<string>, path: string): Promise<void> => {
  const draft = draftOf(path)
  try {
    await pipeline(Readable.from(lines), createWriteStream(draft))
    await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
}

const write = (lines: AsyncIterable<string>, place: ResultPlace): Promise<void> => {
  switch (place.kind) {
    case 'stdout':
      return toStdout(lines)
    case 'stream':
      return pipeline(Readable.from(lines), createWriteStream(place.path))
    case 'file':
      return toFile(lines, place.path)
  }
}

/**
 * All final outcomes of the run `topic` as NDJSON, from the journal: so the file is whole and each device stands in
 * it once, however often the run was interrupted. A file appears at once, when it is complete.
 * @throws CommandError when they cannot be written; they stay in the journal
 */
export const writeResults = async (
  pool: Pool,
  topic: string,
  place: ResultPlace,
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
  await write(lines(), place).catch((error: unknown) => {
    throw new CommandError(
      `The results cannot be written: ${reasonOf(error)}. Start the same command again to have them.`,
    )
  })
  return { written, bad }
}
