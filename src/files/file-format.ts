/** The two formats of a list of devices, and how a file's format is found. */
import { open } from 'node:fs/promises'
import { extname } from 'node:path'

export type FileFormat = 'csv' | 'ndjson'

const byExtension: Readonly<Record<string, FileFormat>> = {
  '.csv': 'csv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'ndjson',
}

const beginningOf = async (path: string): Promise<Buffer> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const refuseUtf16 = (beginning: Buffer, name: string): void => {
  const mark = beginning.subarray(0, 2).toString('hex')
  if (mark === 'fffe' || mark === 'feff') throw new Error(`${name} is UTF-16 text; save it as UTF-8`)
}

/**
 * The format that the extension of `name` tells, else the first character of the content at `path`. Throws for content that
 * has neither format.
 */
export const detectFormat = async (path: string, name: string): Promise<FileFormat> => {
  const beginning = await beginningOf(path)
  refuseUtf16(beginning, name)
  const first = beginning.toString('utf8').trimStart()[0]
  const format =
    byExtension[extname(name).toLowerCase()] ?? (first === '{' || first === '[' ? 'ndjson' : 'csv')
  if (format === 'ndjson' && first === '[') {
    throw new Error(`${name} holds a JSON array; write one request a line instead (NDJSON)`)
  }
  return format
}

/** A file that was hashed. */
export interface KnownFile {
  readonly path: string
  /** Its name for people: the path, or `standard input`. */
  readonly name: string
  readonly sha256: string
  /** Its size when it was hashed. Another size means that it was changed since. */
  readonly bytes: number
  readonly format: FileFormat
}
