const notPrintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu
const excerptLength = 64

/** Text safe to show and store: control characters, line separators and lone surrogates become `�`. */
export const plainText = (text: string, maxLength: number): string =>
  text.slice(0, maxLength).replace(notPrintable, '�')

/** What a value looks like, for a message to people: never more than 64 characters of it. */
export const excerpt = (value: unknown): string => {
  if (typeof value === 'string') {
    const cut = value.length > excerptLength
    return `"${plainText(value, excerptLength)}${cut ? '…' : ''}"${cut ? ` (${value.length} characters)` : ''}`
  }
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}
