import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A copy of a stream that can be read more than once, until it is removed. */
export interface SpooledFile {
  readonly path: string
  remove(): Promise<void>
}

/** Writes a stream to a temporary file that only this user can read. */
export const spoolStream = async (stream: NodeJS.ReadableStream): Promise<SpooledFile> => {
  const directory = await mkdtemp(join(tmpdir(), 'device-move-'))
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  const path = join(directory, 'input')
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600 }))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, remove }
}
