import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeResult } from '../domain/event'
import { finalOutcomes } from '../postgres/final-outcomes'
import type { Pool } from '../postgres/pool'

export interface WrittenResults {
  readonly written: number
  /** Failed or rejected ones among them. */
  readonly bad: number
}

/**
 * All final outcomes of the run `topic` as NDJSON, from the journal: so the file is whole and each device stands in
 * it once, however often the run was interrupted. It appears at once, when it is complete.
 */
export const writeResults = async (
  pool: Pool,
  topic: string,
  out: string | null,
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
  if (out === null) {
    await pipeline(Readable.from(lines()), process.stdout, { end: false })
    return { written, bad }
  }
  const partial = `${out}.${process.pid}.part`
  try {
    await pipeline(Readable.from(lines()), createWriteStream(partial))
    await rename(partial, out)
  } finally {
    await rm(partial, { force: true })
  }
  return { written, bad }
}
