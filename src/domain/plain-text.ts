/** Makes text from outside safe to store and to show. */

const notPrintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The text that the bytes encode, without a byte order mark. null: they are not valid UTF-8. Invalid bytes are not
 * replaced, because the text would name another device.
 */
export const decodeUtf8 = (bytes: Uint8Array): string | null => {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

/** At most `maxLength` characters; each control character, line separator and lone surrogate becomes `�`. */
export const plainText = (text: string, maxLength: number): string =>
  text.slice(0, maxLength).replace(notPrintable, '�')

/** One line for logs, tables and headers: no control characters, single spaces, at most `maxLength` characters. */
export const oneLine = (text: string, maxLength: number): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ')
    .trim()
    .slice(0, maxLength)
    // A surrogate pair that the cut has split in two is not text.
    .replace(/[\ud800-\udbff]$/, '')
