// Fatal: text with replaced characters would name another device. A byte order mark is dropped.
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Bytes as text; null if they are not UTF-8. */
export const decodeText = (bytes: Uint8Array): string | null => {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}
