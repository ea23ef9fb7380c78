const longestText = 500

/** Plain text for logs, tables and headers: no control characters, single spaces, cut to `longest` characters. */
export const plainText = (text: string, longest = longestText): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ')
    .trim()
    .slice(0, longest)
    // A pair cut in two is no text.
    .replace(/[\ud800-\udbff]$/, '')

export type Scrub = (text: string) => string

/** What may follow a URL's path: signed URLs carry key id and signature there. */
const urlTail = /(https?:\/\/[^\s?#"'<>]+)[?#][^\s"'<>]*/gi
const userInfo = /(https?:\/\/)[^\s/@"'<>]+@/gi
const named =
  /\b(signature|credential|accesskeyid|accesskeysecret|ossaccesskeyid|security-?token)(["']?\s*(?:[=:]|%3d|%3a)\s*["']?)[^\s&,;"'<>]+/gi
/** Signatures and hashes of requests, as in the explanation of a SignatureDoesNotMatch. */
const longHex = /\b[0-9a-f]{40,}\b/gi

/**
 * Takes out of a text whatever must not be in a log: the given secrets (plain or percent-encoded), queries of URLs,
 * signatures; then makes it plain.
 */
export const createScrub = (secrets: readonly string[]): Scrub => {
  const literals = [...new Set(secrets.flatMap(secret => [secret, encodeURIComponent(secret)]))]
    .filter(secret => secret !== '')
    .sort((a, b) => b.length - a.length)

  return text => {
    const withoutSecrets = literals.reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
    return plainText(
      withoutSecrets
        .replace(urlTail, '$1')
        .replace(userInfo, '$1')
        .replace(named, '$1$2***')
        .replace(longHex, '***'),
    )
  }
}
