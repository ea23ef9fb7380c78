import { createWriteStream, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A copy of a stream that can be read more than once, until it is removed. */
export interface SpooledFile {
  readonly path: string
  /** Whoever has it removes it from now on; until then a signal that ends the process does. */
  handOver(): void
  remove(): Promise<void>
}

const endings = ['SIGINT', 'SIGTERM'] as const

/** Calls `clean` at a signal that ends the process, nobody else listening to it; gives what calls that off. */
const beforeEnding = (clean: () => void): (() => void) => {
  const off = (): void => {
    for (const name of endings) process.off(name, onSignal)
  }
  const onSignal = (name: NodeJS.Signals): void => {
    off()
    if (process.listenerCount(name) > 0) return
    clean()
    process.kill(process.pid, name)
  }
  for (const name of endings) process.on(name, onSignal)
  return off
}

/** Writes a stream to a temporary file that only this user can read. */
export const spoolStream = async (stream: NodeJS.ReadableStream): Promise<SpooledFile> => {
  const directory = await mkdtemp(join(tmpdir(), 'device-move-'))
  const handOver = beforeEnding(() => rmSync(directory, { recursive: true, force: true }))
  const remove = async (): Promise<void> => {
    handOver()
    await rm(directory, { recursive: true, force: true })
  }
  const path = join(directory, 'input')
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600 }))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, handOver, remove }
}
