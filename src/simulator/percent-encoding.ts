const plain = /^[\w.~-]*$/

/** As the signature rules want it: everything but A-Z a-z 0-9 - _ . ~ is encoded. */
export const percentEncode = (text: string): string =>
  plain.test(text)
    ? text
    : encodeURIComponent(text).replace(
        /[!'()*]/g,
        character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      )

const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : a > b ? 1 : 0)

/** Pairs sorted by key, encoded and joined: the canonical query of both signatures. */
export const canonicalPairs = (pairs: readonly (readonly [string, string])[]): string =>
  [...pairs]
    .sort(byKey)
    .map(([key, value]) => `${percentEncode(key)}=${percentEncode(value)}`)
    .join('&')
