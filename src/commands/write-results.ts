import { createWriteStream } from 'node:fs'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { encodeResult } from '../domain/event'
import { messageOf } from '../domain/message-of'
import { finalOutcomes } from '../postgres/final-outcomes'
import type { Pool } from '../postgres/pool'
import { CommandError, exitCode } from './exit-code'
import { draftOf, type ResultPlace } from './result-place'

export interface WrittenResults {
  readonly written: number
  /** Failed or rejected ones among them. */
  readonly bad: number
}

const readerEveryMs = 200

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

/**
 * Resolves with a handle once `path` can be opened without waiting: where it is a FIFO, once somebody reads it. A thread
 * that waited for that would keep the process from ending.
 */
const whenRead = async (path: string, signal: AbortSignal): Promise<FileHandle> => {
  for (let said = false; ; said = true) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENXIO')) throw error
      if (!said) process.stderr.write(`  waiting until somebody reads ${path}\n`)
      await pause(readerEveryMs, undefined, { signal }).catch(() => {
        throw new CommandError(`Nobody reads ${path}.`, exitCode.interrupted)
      })
    }
  }
}

const toStream = async (lines: AsyncIterable<string>, path: string, signal: AbortSignal): Promise<void> => {
  const held = await whenRead(path, signal)
  try {
    await pipeline(Readable.from(lines), createWriteStream(path))
  } finally {
    await held.close()
  }
}

const write = (lines: AsyncIterable<string>, place: ResultPlace, signal: AbortSignal): Promise<void> => {
  switch (place.kind) {
    case 'stdout':
      return toStdout(lines)
    case 'stream':
      return toStream(lines, place.path, signal)
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
  signal: AbortSignal,
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
  await write(lines(), place, signal).catch((error: unknown) => {
    if (error instanceof CommandError) throw error
    throw new CommandError(
      `The results cannot be written: ${messageOf(error)}. Start the same command again to have them.`,
    )
  })
  return { written, bad }
}
