/** A member of an object within its JSON text: `text.slice(from, to)`, the key with its quotes. */
export interface JsonMember {
  readonly keyFrom: number
  readonly keyTo: number
  readonly valueFrom: number
  readonly valueTo: number
}

const [quote, comma, colon, backslash] = [0x22, 0x2c, 0x3a, 0x5c]
const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d

/** Index just behind the string that starts at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at
    while (text.charCodeAt(first - 1) === backslash) first--
    if ((at - first) % 2 === 0) return at + 1
  }
  return text.length
}

/**
 * Visits the members of the outermost object of valid JSON text, repeated ones too (which a parser hides).
 * No recursion: nesting may be as deep as it likes.
 */
export const visitMembers = (text: string, visit: (member: JsonMember) => void): void => {
  let depth = 0
  let [keyFrom, keyTo, valueFrom] = [-1, -1, -1]
  const close = (valueTo: number): void => {
    if (valueFrom >= 0) visit({ keyFrom, keyTo, valueFrom, valueTo })
    keyFrom = -1
    valueFrom = -1
  }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = endOfString(text, at)
      if (depth === 1 && keyFrom < 0) [keyFrom, keyTo] = [at, end]
      at = end - 1
    } else if (isOpening(code)) depth++
    else if (isClosing(code)) {
      if (depth === 1) close(at)
      depth--
    } else if (depth === 1 && code === comma) close(at)
    else if (depth === 1 && code === colon) valueFrom = at + 1
  }
}

/** How many members the outermost object has, repeated ones counted each time. */
export const countMembers = (text: string): number => {
  let count = 0
  visitMembers(text, () => {
    count++
  })
  return count
}

/** Key of a member, unescaped. */
export const keyOf = (text: string, member: JsonMember): string =>
  String(JSON.parse(text.slice(member.keyFrom, member.keyTo)))
