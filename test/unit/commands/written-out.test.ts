import { Writable } from 'node:stream'
import { writtenOut } from '../../../src/commands/process-end'

/** What is written stays with it until somebody takes it, piece by piece. */
const createSlow = () => {
  const waiting: ((error?: Error) => void)[] = []
  const stream = new Writable({ write: (_piece, _encoding, done) => waiting.push(done) })
  stream.on('error', () => undefined)
  return { stream, take: (error?: Error) => waiting.shift()?.(error) }
}

describe('waiting until everything is written', () => {
  it('ends with the last piece, not before', async () => {
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
    // The mark that is written last is a piece too.
    take()
    await out
  })

  it('writes nothing where nothing waits', async () => {
    const { stream } = createSlow()
    await writtenOut(stream)
    expect(stream.writableLength).toBe(0)
  })

  it('does not wait for what can no longer be written', async () => {
    const { stream, take } = createSlow()
    stream.write('one')
    const out = writtenOut(stream)
    take(new Error('EPIPE'))
    await out
  })
})
