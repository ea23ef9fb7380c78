import type { Pairs } from './params'

/** A call as it came in, its body read to the end. */
export interface ReceivedCall {
  readonly method: string
  readonly path: string
  readonly query: Pairs
  readonly form: Pairs
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What a call says of itself, and how to check it. */
export interface SignatureClaim {
  readonly accessKeyId: string
  readonly signature: string
  readonly expected: (secret: string) => string
  /** Everything that must be covered is. */
  readonly complete: boolean
  readonly bodyMatches: boolean
  /** ms since 1970; NaN if unreadable */
  readonly signedAt: number
  readonly nonce: string
  readonly securityToken: string
  readonly action: string
  readonly version: string
}
