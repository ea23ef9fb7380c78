import { createFlowBook } from '../../../src/app/supervision'

describe('the state of a flow', () => {
  it('is retrying while a step fails, and running again once one has worked', () => {
    const book = createFlowBook()
    expect(book.read().intake).toEqual({ state: 'starting', problem: null })
    book.is('intake', 'running')
    expect(book.failed('intake', 'no disk')).toBe(true)
    expect(book.read().intake).toEqual({ state: 'retrying', problem: 'no disk' })
    expect(book.worked('intake')).toBe(true)
    expect(book.worked('intake')).toBe(false)
    expect(book.read().intake).toEqual({ state: 'running', problem: null })
  })

  it('takes a problem for news only if it differs from the one before', () => {
    const book = createFlowBook()
    expect(book.failed('publish', 'a')).toBe(true)
    expect(book.failed('publish', 'a')).toBe(false)
    expect(book.failed('publish', 'b')).toBe(true)
    expect(book.read().drive.problem).toBeNull()
  })

  it('compares problems by their code if they have one, whatever the texts', () => {
    const book = createFlowBook()
    book.is('drive', 'running')
    expect(book.failed('drive', 'no answer', 'ECONNRESET')).toBe(true)
    expect(book.failed('drive', 'not sent', 'ECONNRESET')).toBe(false)
    expect(book.failed('drive', 'not sent', 'ECONNREFUSED')).toBe(true)
    expect(book.read().drive.problem).toBe('not sent')
  })

  it('does not show problems of List as those of a flow', () => {
    const book = createFlowBook()
    book.is('drive', 'running')
    expect(book.failed('list', '503')).toBe(true)
    expect(book.worked('drive')).toBe(false)
    expect(book.failed('list', '503')).toBe(false)
    expect(book.read().drive).toEqual({ state: 'running', problem: null })
    book.is('drive', 'standing-by')
    expect(book.failed('list', '503')).toBe(true)
  })

  it('loses its problem when the flow changes hands', () => {
    const book = createFlowBook()
    book.is('drive', 'running')
    book.failed('drive', 'lease lost')
    book.is('drive', 'standing-by')
    expect(book.read().drive).toEqual({ state: 'standing-by', problem: null })
  })
})
