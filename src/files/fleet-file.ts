/** Opens a list of devices for the commands: identifies it by its content, and copies what can be read only once. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { codeOf } from '../domain/error-text'
import type { RequestSource } from '../ports/request-source'
import { detectFormat, type KnownFile } from './file-format'
import { createFileSource, fileTopic, readFileLines } from './file-source'

/** The SHA-256 of a file, in hex, and its size. Reads the whole file once; throws what the file system throws. */
export const sha256OfFile = async (path: string): Promise<Pick<KnownFile, 'sha256' | 'bytes'>> => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of createReadStream(path)) {
    hash.update(piece)
    bytes += piece.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** A copy of a stream. It can be read more than once, until it is removed. */
interface SpooledFile {
  readonly path: string
  /** A signal that ends the process before that removes it too. */
  remove(): Promise<void>
}

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Calls `clean` at a signal that ends the process. That is one that nobody else listens to: a command listens to its first
 * signal, and lets a later one end it. Returns how to call it off.
 */
const beforeEnding = (clean: () => void): (() => void) => {
  const off = (): void => {
    for (const name of endSignals) process.off(name, onSignal)
  }
  const onSignal = (name: NodeJS.Signals): void => {
    if (process.listeners(name).some(listener => listener !== onSignal)) return
    off()
    clean()
    process.kill(process.pid, name)
  }
  for (const name of endSignals) process.on(name, onSignal)
  return off
}

/** Writes a stream to a temporary file that only this user can read. */
const spoolStream = async (stream: NodeJS.ReadableStream): Promise<SpooledFile> => {
  const directory = await mkdtemp(join(tmpdir(), 'device-move-'))
  const callOff = beforeEnding(() => rmSync(directory, { recursive: true, force: true }))
  const remove = async (): Promise<void> => {
    callOff()
    await rm(directory, { recursive: true, force: true })
  }
  const path = join(directory, 'input')
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600 }))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, remove }
}

export interface FleetFile extends KnownFile {
  /** The topic of its records: `file:<sha256>`. */
  readonly topic: string
  readonly source: RequestSource
  /** Removes the copy that was made of standard input or of a pipe. Call it at the end. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** The stream that the path `-` stands for; the process's own by default. */
  readonly stdin?: NodeJS.ReadableStream
  readonly chunkRecords?: number
}

const whyNotOpened: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read by this user',
}

const explained = (name: string, error: unknown): unknown => {
  const why = whyNotOpened[codeOf(error) ?? '']
  return why === undefined ? error : new Error(`cannot read ${name}: ${why}`, { cause: error })
}

/** Reads up to the first record, so that a file which cannot be read at all is refused before anything is done. */
const checkBeginning = async (file: KnownFile): Promise<void> => {
  for await (const lines of readFileLines(file)) {
    if (lines.length > 0) return
  }
  throw new Error(`${file.name} holds no request`)
}

const identify = async (path: string, name: string): Promise<KnownFile> => {
  const { sha256, bytes } = await sha256OfFile(path)
  if (bytes === 0) throw new Error(`${name} is empty`)
  const file = { path, name, sha256, bytes, format: await detectFormat(path, name) }
  await checkBeginning(file)
  return file
}

const spoolIfNeeded = async (path: string, stdin: NodeJS.ReadableStream): Promise<SpooledFile | null> => {
  if (path === '-') return spoolStream(stdin)
  const found = await stat(path)
  if (found.isDirectory()) throw new Error(`cannot read ${path}: it is a directory`)
  // A pipe can be read only once.
  return found.isFile() ? null : spoolStream(createReadStream(path))
}

/**
 * Opens a list of devices, CSV or NDJSON; `-` is standard input. Throws an error for people if the file is missing, empty, a
 * directory, not readable, of another format, or without a usable header.
 */
export const openFleetFile = async (path: string, options: OpenOptions = {}): Promise<FleetFile> => {
  const name = path === '-' ? 'standard input' : path
  const spooled = await spoolIfNeeded(path, options.stdin ?? process.stdin).catch(error => {
    throw explained(name, error)
  })
  const close = async (): Promise<void> => spooled?.remove()
  try {
    const file = await identify(spooled?.path ?? path, name)
    const { chunkRecords } = options
    const source = createFileSource(chunkRecords === undefined ? file : { ...file, chunkRecords })
    return { ...file, topic: fileTopic(file.sha256), source, close }
  } catch (error) {
    await close()
    throw explained(name, error)
  }
}
