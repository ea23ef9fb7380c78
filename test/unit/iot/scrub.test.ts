import fc from 'fast-check'
import { createScrub } from '../../../src/iot/client/answer-fields'

describe('scrubbing a text', () => {
  const scrub = createScrub(['LTAI5tKEYID', 's3cret/+key', ''])

  it.each([
    ['key LTAI5tKEYID used', 'key *** used'],
    ['s3cret/+key and s3cret%2F%2Bkey', '*** and ***'],
    ['GET https://h.example/p?OSSAccessKeyId=x&Signature=y now', 'GET https://h.example/p now'],
    ['https://h.example/p#frag', 'https://h.example/p'],
    ['see http://user:pass@h.example/p', 'see http://h.example/p'],
    ['Signature=Ab%2Bc%3D&x=1', 'Signature=***&x=1'],
    ['"SecurityToken": "CAIS123"', '"SecurityToken": "***"'],
    [
      'ACS3-HMAC-SHA256 Credential=k,SignedHeaders=a;b,Signature=12',
      'ACS3-HMAC-SHA256 Credential=***,SignedHeaders=a;b,Signature=***',
    ],
    [`hash ${'0a'.repeat(32)}.`, 'hash ***.'],
    ['line\r\nbreak\u0000 and\ttab\u001b[31m', 'line break and tab [31m'],
    ['no device meter-000017', 'no device meter-000017'],
  ])('takes out what must not be logged: %j', (text, expected) => {
    expect(scrub(text)).toBe(expected)
  })

  it('cuts it to 500 characters and splits no surrogate pair', () => {
    expect(scrub('x'.repeat(600))).toHaveLength(500)
    expect(scrub(`${'x'.repeat(499)}😀`)).toBe('x'.repeat(499))
  })

  it('ends soon for 1 MB of nothing but URLs', () => {
    expect(createScrub(['s3cret'])('http://'.repeat(150_000))).toHaveLength(500)
    expect(createScrub([])('ahttp://x/y?a=http://z?b "https://q#r" end')).toBe('ahttp://x/y "https://q" end')
  })

  it('lets no secret through, wherever the secret stands', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/]{16,40}$/)
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (hidden, before, after) => {
        const text = createScrub([hidden])(`${before}${hidden}${after}`)
        expect(text).not.toContain(hidden)
        expect(text.length).toBeLessThanOrEqual(500)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
        expect(text).not.toMatch(/[\u0000-\u001f\u007f]/)
      }),
    )
  })
})
