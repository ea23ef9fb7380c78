import fc from 'fast-check'
import { createRedact } from '../../../src/domain/redact'

describe('createRedact', () => {
  const redact = createRedact(['s3cret/+key', 'quo"te\\d', 'short', ''])

  it.each([
    ['s3cret/+key and s3cret%2F%2Bkey', '*** and ***'],
    [JSON.stringify({ text: 'a quo"te\\d b' }), '{"text":"a *** b"}'],
    ['GET https://h.example/p?OSSAccessKeyId=x&Signature=y now', 'GET https://h.example/p now'],
    [
      JSON.stringify({ url: 'https://h.example/p?Signature=y', more: 1 }),
      '{"url":"https://h.example/p","more":1}',
    ],
    ['see postgres://user:pass@h.example/p', 'see postgres://h.example/p'],
    ['see postgres://user:p@ss@h.example/p', 'see postgres://h.example/p'],
    ['Signature=Ab%2Bc%3D&x=1', 'Signature=***&x=1'],
    ['{"SecurityToken":"CAIS123","x":1}', '{"SecurityToken":"***","x":1}'],
    [JSON.stringify({ body: '{"SecurityToken":"CAIS123"}' }), '{"body":"{\\"SecurityToken\\":\\"***\\"}"}'],
    ['too short to be told from other text: short', 'too short to be told from other text: short'],
    ['https://h.example/p', 'https://h.example/p'],
  ])('turns %j into %j', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  it.each(['http://', 'a.', 'https://a@b', 'signature= '])(
    'comes to an end with a text of 150,000 times %j',
    piece => {
      expect(redact(piece.repeat(150_000)).length).toBeGreaterThan(0)
    },
  )

  it('keeps a line of JSON valid', () => {
    const value = fc.record({ a: fc.string(), url: fc.webUrl({ withQueryParameters: true }), b: fc.json() })
    fc.assert(
      fc.property(value, fields => {
        expect(() => JSON.parse(redact(JSON.stringify(fields)))).not.toThrow()
      }),
    )
  })

  it('removes a secret of any characters from a line of JSON', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 40 }), fc.string(), (secret, before) => {
        fc.pre(!'***'.includes(secret) && !before.includes(secret))
        const line = createRedact([secret])(JSON.stringify(`${before}${secret}`))
        expect(line).not.toContain(JSON.stringify(secret).slice(1, -1))
      }),
    )
  })
})
