import type { Readable } from 'node:stream'

const keptLines = 30

export interface OutputLines {
  /** The last lines written, for the text of an error. */
  tail(): string
}

/** Splits what a child writes into lines, hands each on and keeps the last ones. */
export const readOutputLines = (
  streams: readonly (Readable | null)[],
  onLine: (line: string) => void,
): OutputLines => {
  const kept: string[] = []
  for (const stream of streams) {
    let rest = ''
    stream?.setEncoding('utf8')
    stream?.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        kept.push(line)
        if (kept.length > keptLines) kept.shift()
        onLine(line)
      }
    })
  }
  return { tail: () => kept.join('\n') }
}
