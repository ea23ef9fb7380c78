/** Removes secrets from text that is logged or shown. */
export type Redact = (text: string) => string

/** Secrets with fewer characters are left alone, because they would be found in any text. */
const shortest = 6

/**
 * Removes query and fragment of URLs, where signed URLs carry key id and signature. The text is taken word by word: one
 * pattern for all of it would search the rest of the text after every `http`, which takes minutes in a text of nothing
 * else.
 */
const withoutUrlTails = (text: string): string =>
  text.replace(/[^\s"'<>\\]+/g, word => {
    const from = word.search(/https?:\/\//i)
    const tail = from < 0 ? -1 : word.slice(from).search(/[?#]/)
    return tail < 0 ? word : word.slice(0, from + tail)
  })
/** User name and password before the host of a URL of any scheme. */
const userInfo = /:\/\/[^\s/"'<>\\]+@/g
/** Values that are named as a signature, a key id or a token. */
const named =
  /\b(signature|credential|accesskeyid|accesskeysecret|ossaccesskeyid|security-?token)(\\?["']?\s*(?:[=:]|%3d|%3a)\s*\\?["']?)[^\s&,;"'<>\\]+/gi

/** The ways a secret may be written: plain, percent-encoded, inside a JSON string. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
]

/**
 * Removes the given secrets in any spelling, queries of URLs, user names before hosts, and values named as signatures
 * or tokens. A line of JSON stays valid JSON.
 */
export const createRedact = (secrets: readonly string[]): Redact => {
  const literals = [...new Set(secrets.filter(secret => secret.length >= shortest).flatMap(spellings))]
    // The longer come first, because one may contain another.
    .sort((a, b) => b.length - a.length)
  return text =>
    withoutUrlTails(literals.reduce((rest, secret) => rest.replaceAll(secret, '***'), text))
      .replace(userInfo, '://')
      .replace(named, '$1$2***')
}
