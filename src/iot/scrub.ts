import { createRedact } from '../domain/redact'

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

/** Signatures and hashes of requests, as in the explanation of a SignatureDoesNotMatch. */
const longHex = /\b[0-9a-f]{40,}\b/gi

/** Takes out of a text whatever must not be in a log, then makes it plain. */
export const createScrub = (secrets: readonly string[]): Scrub => {
  const redact = createRedact(secrets)
  return text => plainText(redact(text).replace(longHex, '***'))
}
