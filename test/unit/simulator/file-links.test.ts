import { createFileLinks } from '../../../src/tools/simulator/result-file'

describe('signed links to result files', () => {
  const links = createFileLinks('secret', 600_000)
  const at = 1_000_000
  const made = new URL(links.make('http://127.0.0.1:1', 'job1', at))
  const check = (now: number, change: (url: URL) => void = () => undefined) => {
    const url = new URL(made)
    change(url)
    return links.check(url.pathname, url.searchParams, now)
  }

  it('are valid for ten minutes', () => {
    expect(check(at + 599_999)).toEqual({ kind: 'valid', jobId: 'job1' })
    expect(check(at + 601_000)).toMatchObject({ kind: 'refused', code: 'AccessDenied', ec: '0002-00000069' })
  })

  it('cannot be prolonged or turned to another job', () => {
    const refused = { kind: 'refused', code: 'SignatureDoesNotMatch' }
    expect(check(at, url => url.searchParams.set('Expires', '9999999999'))).toMatchObject(refused)
    expect(check(at, url => url.searchParams.delete('Signature'))).toMatchObject(refused)
    const other = new URL(links.make('http://127.0.0.1:1', 'job2', at)).pathname
    expect(check(at, url => Object.assign(url, { pathname: other }))).toMatchObject(refused)
  })
})
