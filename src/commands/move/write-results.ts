/** Writes the final results of a list where `--out` says. The place is found and tried before anything is sent. */
import { constants, createReadStream, createWriteStream, fstat } from 'node:fs'
import { access, type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { messageOf } from '../../domain/error-text'
import { encodeResult } from '../../domain/outcome-records'
import { finalOutcomes } from '../../postgres/outbox/final-outcomes'
import type { Pool } from '../../postgres/session/session'
import { CommandError, exitCode } from '../exit-code'

export type ResultPlace =
  | { readonly kind: 'stdout' }
  /** A device or a FIFO. What is written to it cannot be replaced. */
  | { readonly kind: 'stream'; readonly path: string }
  /** A regular file, or nothing yet, behind all symbolic links. It is replaced as a whole. */
  | { readonly kind: 'file'; readonly path: string }

export interface PlaceOptions {
  /** Topic of the list: `file:<sha256>`. */
  readonly topic: string
  /** Replace a file whatever it holds. */
  readonly force: boolean
}

/** The results are written to this file, which then takes the place of the one at `path`. */
const draftOf = (path: string): string => `${path}.${process.pid}.part`

const nullIfAbsent = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT') return null
  throw error
}

/** The path behind all symbolic links. There may be nothing at it. */
const behindLinks = async (path: string): Promise<string> => {
  const real = await realpath(path).catch(nullIfAbsent)
  if (real !== null) return real
  const directory = await realpath(dirname(path))
  // Only a link can be read as a link.
  const target = await readlink(path).catch(() => null)
  return target === null ? path : behindLinks(resolve(directory, target))
}

/** Makes a file there and removes it again. Nothing else tells whether one can be made. */
const tryToWrite = async (path: string): Promise<void> => {
  const file = await open(draftOf(path), 'w')
  await file.close()
  await rm(draftOf(path))
}

/** Whether every line is a result of the list, so that nothing is lost by writing the file anew. */
const holdsOnly = async (path: string, topic: string): Promise<boolean> => {
  const source = `"topic":${JSON.stringify(topic)}`
  for await (const line of createInterface({ input: createReadStream(path) }))
    if (!line.includes(source)) return false
  return true
}

const placeAt = async (out: string, { topic, force }: PlaceOptions): Promise<ResultPlace> => {
  if (out === '') throw new Error('it is empty; without --out results go to standard output')
  const found = await stat(out).catch(nullIfAbsent)
  if (found?.isDirectory() === true) throw new Error('it is a directory')
  // /dev/stdout may be a socket, which cannot be opened, or a file that others have written to.
  const stdout = await promisify(fstat)(1).catch(() => null)
  if (found !== null && found.dev === stdout?.dev && found.ino === stdout.ino) return { kind: 'stdout' }
  if (found?.isSocket() === true) throw new Error('it is a socket')
  if (found !== null && !found.isFile()) {
    await access(out, constants.W_OK)
    return { kind: 'stream', path: out }
  }
  const path = await behindLinks(resolve(out))
  await tryToWrite(path)
  if (found !== null && !force && !(await holdsOnly(path, topic)))
    throw new Error(
      'it is there, and holds something else than results of this list (another list, or another version of it): ' +
        'give another path, or --force to replace it',
    )
  return { kind: 'file', path }
}

/** The place that `--out` names. Ends the command if it cannot be used, and changes nothing. */
export const resultPlace = async (out: string | undefined, options: PlaceOptions): Promise<ResultPlace> => {
  if (out === undefined) return { kind: 'stdout' }
  return placeAt(out, options).catch((error: unknown) => {
    throw new CommandError(`--out ${out}: ${messageOf(error)}`, exitCode.usage)
  })
}

export interface WrittenResults {
  readonly written: number
  /** How many of them are not `moved`. */
  readonly bad: number
}

/** A FIFO that nobody reads is tried again this often, ms. */
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
 * Resolves with a handle once `path` can be opened without waiting. A FIFO can be once somebody reads it; an open call
 * that waits for that blocks a thread and keeps the process from ending.
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
 * Writes all final outcomes of the run `topic` as NDJSON. They come from the journal, so each device has one line however
 * often the run was interrupted. A file appears only when it is complete.
 * @throws CommandError when the results cannot be written; they stay in the journal
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
