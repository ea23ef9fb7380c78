import { PassThrough } from 'node:stream'
import { createLogStream } from '../../../src/telemetry/logger'

const line = `${'x'.repeat(999_999)}\n`

describe('the stream of log lines', () => {
  it('keeps lines for a reader that hangs, up to a bound, and says how many it has dropped', async () => {
    const pipe = new PassThrough({ highWaterMark: 1 })
    const log = createLogStream(pipe)
    for (let count = 0; count < 30; count += 1) log.write(line)
    expect(pipe.writableLength).toBeLessThan(18_000_000)
    let read = ''
    pipe.on('data', (piece: Buffer) => {
      read += piece.toString()
    })
    await new Promise(setImmediate)
    log.write('the reader is back\n')
    await new Promise(setImmediate)
    const kept = read.split(line).length - 1
    expect(kept).toBeGreaterThanOrEqual(16)
    expect(read.slice(kept * line.length)).toBe(
      `{"level":"warn","dropped":${30 - kept},"msg":"log lines were dropped"}\nthe reader is back\n`,
    )
  })

  it('throws nothing once its reader has gone', async () => {
    const pipe = new PassThrough()
    const log = createLogStream(pipe)
    pipe.destroy(new Error('EPIPE'))
    await new Promise(setImmediate)
    expect(() => log.write(line)).not.toThrow()
  })
})
