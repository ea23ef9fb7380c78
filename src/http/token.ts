import { createHash, timingSafeEqual } from 'node:crypto'

/** `off`: there is no token, so nothing can be right. */
export type TokenVerdict = 'right' | 'wrong' | 'off'

/** Judges an Authorization header. */
export type TokenCheck = (authorization: string | undefined) => TokenVerdict

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Compares bearer tokens by their hashes, which are of one length and say nothing of how near a guess is: the time it
 * takes is the same for each.
 */
export const createTokenCheck = (token: string | null): TokenCheck => {
  if (token === null) return () => 'off'
  const expected = digest(token)
  return authorization => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), expected) ? 'right' : 'wrong'
  }
}
