import { Writable } from 'node:stream'
import { writtenOut } from '../../../src/commands/process-end'

/** A stream that keeps what is written to it until `take` takes it, piece by piece. */
const createSlow = () => {
  const waiting: ((error?: Error) => void)[] = []
  const stream = new Writable({ write: (_piece, _encoding, done) => waiting.push(done) })
  stream.on('error', () => undefined)
  return { stream, take: (error?: Error) => waiting.shift()?.(error) }
}

describe('waiting until all output is written', () => {
  it('ends with the last piece and not before', async () => {
    const { stream, take } = createSlow()
    stream.write('one')
    stream.write('two')
    let isOut = false
    const out = writtenOut(stream).then(() => {
      isOut = true
    })
    take()
    await new Promise(setImmediate)
    expect(isOut).toBe(false)
    take()
    await new Promise(setImmediate)
    // `writtenOut` writes an empty piece last.
    take()
    await out
  })

  it('ends at once, and writes nothing, when nothing waits to be written', async () => {
    const { stream } = createSlow()
    await writtenOut(stream)
    expect(stream.writableLength).toBe(0)
  })

  it('ends when the rest can no longer be written', async () => {
    const { stream, take } = createSlow()
    stream.write('one')
    const out = writtenOut(stream)
    take(new Error('EPIPE'))
    await out
  })
})
