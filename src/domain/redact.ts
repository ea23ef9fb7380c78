/** Takes out of a text what nobody may read there. */
export type Redact = (text: string) => string

/** Shorter ones would be found in any text. */
const shortest = 6

/**
 * Without what may follow a URL's path: signed URLs carry key id and signature there. Word by word: one pattern for
 * all of it would look through the rest of the text from every `http` on, for minutes where there is nothing else.
 */
const withoutUrlTails = (text: string): string =>
  text.replace(/[^\s"'<>\\]+/g, word => {
    const from = word.search(/https?:\/\//i)
    const tail = from < 0 ? -1 : word.slice(from).search(/[?#]/)
    return tail < 0 ? word : word.slice(0, from + tail)
  })
/** User and password before a URL's host, of whatever scheme. */
const userInfo = /:\/\/[^\s/"'<>\\]+@/g
const named =
  /\b(signature|credential|accesskeyid|accesskeysecret|ossaccesskeyid|security-?token)(\\?["']?\s*(?:[=:]|%3d|%3a)\s*\\?["']?)[^\s&,;"'<>\\]+/gi

/** As it may be written: plain, percent-encoded, inside a JSON string. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
]

/**
 * The given secrets (in any spelling), queries of URLs, user names before hosts, and values named as signatures or
 * tokens. Fit for a line of JSON, which stays one.
 */
export const createRedact = (secrets: readonly string[]): Redact => {
  const literals = [...new Set(secrets.filter(secret => secret.length >= shortest).flatMap(spellings))]
    // The longer first: one may contain another.
    .sort((a, b) => b.length - a.length)
  return text =>
    withoutUrlTails(literals.reduce((rest, secret) => rest.replaceAll(secret, '***'), text))
      .replace(userInfo, '://')
      .replace(named, '$1$2***')
}
