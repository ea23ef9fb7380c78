import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { RequestSource } from '../ports'
import { detectFormat } from './detect-format'
import { fileTopic, readFileLines } from './file-chunks'
import { createFileSource } from './file-source'
import type { KnownFile } from './known-file'
import { sha256OfFile } from './sha256-of-file'
import { type SpooledFile, spoolStream } from './spool-stream'

export interface FleetFile extends KnownFile {
  /** Topic of its records: `file:<sha256>`. */
  readonly topic: string
  readonly source: RequestSource
  /** Removes the copy that was made of standard input; call it at the end. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** Read for the path `-`. */
  readonly stdin?: NodeJS.ReadableStream
  readonly chunkRecords?: number
}

const whyNotOpened: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read by this user',
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

const explained = (name: string, error: unknown): unknown => {
  const why = whyNotOpened[codeOf(error)]
  return why === undefined ? error : new Error(`cannot read ${name}: ${why}`, { cause: error })
}

/** Reads up to the first record: what keeps the whole file from being read shows before anything is done. */
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
 * Opens a list of devices: CSV or NDJSON, `-` for standard input. Throws an error fit to show for a file that is
 * missing, empty, a directory, not readable, of an unknown form, or without a usable header.
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
    spooled?.handOver()
    return { ...file, topic: fileTopic(file.sha256), source, close }
  } catch (error) {
    await close()
    throw explained(name, error)
  }
}
