import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { testBrokers } from './kafka'

const run = promisify(execFile)

export interface SmallDisk {
  readonly path: string
  /** Takes every free byte. What others free later stays free until it is called again. */
  fill(): Promise<void>
  /** Gives the taken bytes back. */
  free(): Promise<void>
  /** Unmounts it, whoever still uses it, and removes it. */
  remove(): Promise<void>
}

const unmountAll = (path: string): void => {
  // Whoever still uses it goes on using it until it ends.
  execFileSync('umount', ['--lazy', path])
  rmSync(path, { recursive: true, force: true })
}

/** A file system of its own in memory, of so many MiB. Only root may mount one. It goes with this process. */
export const createSmallDisk = (mebibytes: number): SmallDisk => {
  const path = mkdtempSync(join(tmpdir(), 'device-move-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path])
  chmodSync(path, 0o755)
  const filler = join(path, 'filler')
  const leftBehind = (): void => unmountAll(path)
  process.on('exit', leftBehind)
  return {
    path,
    fill: async () => {
      const file = await open(filler, 'a')
      try {
        for (const size of [1 << 20, 4_096, 1]) {
          const piece = Buffer.alloc(size, 'x')
          let isFull = false
          while (!isFull)
            isFull = await file.write(piece).then(
              ({ bytesWritten }) => bytesWritten < size,
              () => true,
            )
        }
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler, { force: true }),
    remove: async () => {
      process.off('exit', leftBehind)
      await run('umount', ['--lazy', path])
      await rm(path, { recursive: true, force: true })
    },
  }
}

/** Why this process cannot mount a small disk; null if it can. */
const whyNot = (): string | null => {
  try {
    const path = mkdtempSync(join(tmpdir(), 'device-move-small-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'pipe' })
    unmountAll(path)
    return null
  } catch (error) {
    return String(error)
  }
}

/** `describe` where a small disk can be mounted and there is a broker. Elsewhere it is loud, and fails with REQUIRE_MOUNT=1. */
export const describeSmallDisk = (name: string, suite: () => void): void => {
  const reason = testBrokers() === null ? 'there is no Kafka' : whyNot()
  if (reason === null) {
    describe(name, suite)
    return
  }
  process.stderr.write(`\n${'='.repeat(100)}\nLEFT OUT: ${name}\n${reason}\n${'='.repeat(100)}\n`)
  if (process.env.REQUIRE_MOUNT !== '1') it.todo(`${name} (left out)`)
  else
    it(`${name} can be tested here`, () => {
      throw new Error(`REQUIRE_MOUNT=1, but no small disk can be mounted: ${reason}`)
    })
}
