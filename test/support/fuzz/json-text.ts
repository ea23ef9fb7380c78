import fc from 'fast-check'

/** Texts that are known to break parsers, databases or terminals. */
export const nastyTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'a\udc00b',
  '\ufeff',
  '\u2028',
  '\u202e',
  '\r\n',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '200',
  "'; drop table move; --",
  '{"a":1}',
  '../../etc/passwd',
  'meter-000017',
  'é'.repeat(300),
  '\u{1F680}'.repeat(200),
] as const

export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...nastyTexts) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 300 }) },
)

/** Numbers as a writer may write them. A reader may not represent all of them. */
const numberText = fc.constantFrom(
  '0',
  '-0',
  '1',
  '200',
  '2e2',
  '200.0',
  '0.1e-400',
  '1e999',
  '-1e999',
  '9007199254740993',
  '1984000000000001234567890',
  '1.7976931348623157e308',
  `1${'0'.repeat(400)}`,
)
const space = fc.constantFrom('', '', '', ' ', '\n\t', '   ')
/** Strings without needless escapes, and with an escape for every character. */
const quoted = anyText.map(text => JSON.stringify(text))
const escaped = anyText.map(
  text =>
    `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`,
)
const stringText = fc.oneof({ weight: 3, arbitrary: quoted }, escaped)

const nested = fc
  .tuple(fc.constantFrom(10, 1_000, 20_000), fc.constantFrom('[', '{"a":'))
  .map(([depth, open]) => `${open.repeat(depth)}0${(open === '[' ? ']' : '}').repeat(depth)}`)

/** Valid JSON text, with what a serialiser would not write: repeated keys, more digits than a double holds, deep nesting. */
export const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; list: string; object: string }>(
  tie => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      { weight: 4, arbitrary: stringText },
      { weight: 2, arbitrary: numberText },
      { weight: 2, arbitrary: fc.constantFrom('true', 'false', 'null') },
      { weight: 2, arbitrary: tie('list') },
      { weight: 2, arbitrary: tie('object') },
    ),
    list: fc
      .tuple(fc.array(tie('value'), { maxLength: 5 }), space)
      .map(([items, gap]) => `[${items.join(`${gap},${gap}`)}]`),
    object: fc
      .tuple(fc.array(fc.tuple(stringText, tie('value')), { maxLength: 5 }), space)
      .map(([members, gap]) => `{${members.map(([key, value]) => `${key}${gap}:${value}`).join(`,${gap}`)}}`),
  }),
).value

export const anyJsonText: fc.Arbitrary<string> = fc.oneof(
  { weight: 30, arbitrary: jsonText },
  { weight: 1, arbitrary: nested },
)

/** A text with a piece cut out, put in, replaced, or cut off. */
export const damaged = (texts: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(texts, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat({ max: 8 }), anyText, fc.nat({ max: 3 }))
    .map(([text, where, length, piece, kind]) => {
      const at = Math.floor(where * text.length)
      if (kind === 0) return text.slice(0, at)
      if (kind === 1) return text.slice(0, at) + text.slice(at + length)
      if (kind === 2) return text.slice(0, at) + piece + text.slice(at)
      return text.slice(0, at) + piece + text.slice(at + length)
    })

/** The bytes of a text in some encoding, with or without a byte order mark, or with one bit flipped. */
export const asBytes = (texts: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      texts,
      fc.oneof(
        { weight: 12, arbitrary: fc.constant('utf8') },
        fc.constantFrom('marked', 'utf16', 'latin1', 'flipped'),
      ),
      fc.nat(),
    )
    .map(([text, encoding, at]) => {
      if (encoding === 'marked') return Buffer.from(`\ufeff${text}`)
      if (encoding === 'utf16') return Buffer.from(`\ufeff${text}`, 'utf16le')
      if (encoding === 'latin1') return Buffer.from(text, 'latin1')
      const bytes = Buffer.from(text)
      if (encoding === 'flipped' && bytes.length > 0) {
        const index = at % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ (1 << (at % 8))
      }
      return bytes
    })
