/** Where the results of a list go: found out, and tried, before anything is sent. */
import { constants, createReadStream, fstat } from 'node:fs'
import { access, open, readlink, realpath, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { messageOf } from '../domain/message-of'
import { CommandError, exitCode } from './exit-code'

export type ResultPlace =
  | { readonly kind: 'stdout' }
  /** A device or a FIFO. What is written to it, or printed, cannot be taken back. */
  | { readonly kind: 'stream'; readonly path: string }
  /** A regular file, or nothing yet; all symbolic links are followed. It is replaced as a whole. */
  | { readonly kind: 'file'; readonly path: string }

export interface PlaceOptions {
  /** Of the list: `file:<sha256>`. */
  readonly topic: string
  /** Replace a file whatever it holds. */
  readonly force: boolean
}

/** What a file is written to before it takes its place. */
export const draftOf = (path: string): string => `${path}.${process.pid}.part`

const nullIfAbsent = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT') return null
  throw error
}

/** The path behind all symbolic links, whether there is something at it or not. */
const behindLinks = async (path: string): Promise<string> => {
  const real = await realpath(path).catch(nullIfAbsent)
  if (real !== null) return real
  const directory = await realpath(dirname(path))
  // What is no link cannot be read as one.
  const target = await readlink(path).catch(() => null)
  return target === null ? path : behindLinks(resolve(directory, target))
}

/** Only an attempt tells whether a file can be made there. */
const tryToWrite = async (path: string): Promise<void> => {
  const file = await open(draftOf(path), 'w')
  await file.close()
  await rm(draftOf(path))
}

/** Every line is a result of the list: to write them anew loses nothing. */
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

/** The place that `--out` names; ends the command with what is wrong with it. Changes nothing. */
export const resultPlace = async (out: string | undefined, options: PlaceOptions): Promise<ResultPlace> => {
  if (out === undefined) return { kind: 'stdout' }
  return placeAt(out, options).catch((error: unknown) => {
    throw new CommandError(`--out ${out}: ${messageOf(error)}`, exitCode.usage)
  })
}
