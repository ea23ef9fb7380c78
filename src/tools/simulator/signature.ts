import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { GatewayError } from './answer'
import type { Pairs } from './call'

const plain = /^[\w.~-]*$/

/** Encodes everything but A-Z a-z 0-9 - _ . ~ as the signature rules demand. */
const percentEncode = (text: string): string =>
  plain.test(text)
    ? text
    : encodeURIComponent(text).replace(
        /[!'()*]/g,
        character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      )

const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : a > b ? 1 : 0)

/** The canonical query of both signatures: pairs sorted by key, encoded and joined. */
const canonicalPairs = (pairs: readonly (readonly [string, string])[]): string =>
  [...pairs]
    .sort(byKey)
    .map(([key, value]) => `${percentEncode(key)}=${percentEncode(value)}`)
    .join('&')

/** A call as it came in, with its whole body. */
export interface ReceivedCall {
  readonly method: string
  readonly path: string
  readonly query: Pairs
  readonly form: Pairs
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What a call claims about itself, and how to check it. */
export interface SignatureClaim {
  readonly accessKeyId: string
  readonly signature: string
  readonly expected: (secret: string) => string
  /** The signature covers everything that it must cover. */
  readonly complete: boolean
  readonly bodyMatches: boolean
  /** ms since 1970; NaN if unreadable */
  readonly signedAt: number
  readonly nonce: string
  readonly securityToken: string
  readonly action: string
  readonly version: string
}

const ALGORITHM = 'ACS3-HMAC-SHA256'
const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
const mustBeSigned = [
  'host',
  'x-acs-action',
  'x-acs-content-sha256',
  'x-acs-date',
  'x-acs-signature-nonce',
  'x-acs-version',
]

/** Version 3: all of it stands in headers, and covers the body by its hash. null: the call is not signed this way. */
const readAcs3 = (call: ReceivedCall): SignatureClaim | null => {
  const authorization = call.headers.authorization ?? ''
  if (!authorization.startsWith(`${ALGORITHM} `)) return null
  const field = (name: string) => new RegExp(`${name}=([^, ]*)`).exec(authorization)?.[1] ?? ''
  const signedHeaders = field('SignedHeaders').split(';')
  const header = (name: string) => (call.headers[name] ?? '').trim()
  const claimedHash = header('x-acs-content-sha256')
  const canonicalRequest = [
    call.method,
    call.path,
    canonicalPairs(call.query),
    ...signedHeaders.map(name => `${name}:${header(name)}`),
    '',
    signedHeaders.join(';'),
    claimedHash,
  ].join('\n')
  const stringToSign = `${ALGORITHM}\n${sha256(canonicalRequest)}`
  return {
    accessKeyId: field('Credential'),
    signature: field('Signature'),
    expected: secret => createHmac('sha256', secret).update(stringToSign).digest('hex'),
    complete: mustBeSigned.every(name => signedHeaders.includes(name)),
    bodyMatches: claimedHash === sha256(call.body),
    signedAt: Date.parse(header('x-acs-date')),
    nonce: header('x-acs-signature-nonce'),
    securityToken: header('x-acs-security-token'),
    action: header('x-acs-action'),
    version: header('x-acs-version'),
  }
}

/** Version 2: it stands in the parameters, as query or form. null: the call is not signed this way. */
const readV2 = (call: ReceivedCall): SignatureClaim | null => {
  const pairs = [...call.query, ...call.form]
  const params = new Map(pairs)
  const param = (name: string) => params.get(name) ?? ''
  if (!params.has('Signature')) return null
  const canonical = canonicalPairs(pairs.filter(([key]) => key !== 'Signature'))
  const stringToSign = `${call.method}&${percentEncode('/')}&${percentEncode(canonical)}`
  return {
    accessKeyId: param('AccessKeyId'),
    signature: param('Signature'),
    expected: secret => createHmac('sha1', `${secret}&`).update(stringToSign).digest('base64'),
    complete: param('SignatureMethod') === 'HMAC-SHA1' && param('SignatureVersion') === '1.0',
    bodyMatches: true,
    signedAt: Date.parse(param('Timestamp')),
    nonce: param('SignatureNonce'),
    securityToken: param('SecurityToken'),
    action: param('Action'),
    version: param('Version'),
  }
}

export interface SignatureRules {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  /** Empty: any token or none. */
  readonly securityToken: string
  readonly clockSkewMs: number
}

/** Header values as text, by their names in lower case. */
export const plainHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  )

const refuse = (status: number, code: string, message: string): GatewayError => ({ status, code, message })

/**
 * Checks both kinds of signature, the time stamp, and that a nonce is used once, so that a call that is repeated byte by
 * byte is refused. Returns the error, or the claim that holds.
 */
export const createSignatureCheck = (rules: SignatureRules) => {
  /** By nonce, oldest first: the instant from which it may be forgotten. */
  const nonces = new Map<string, number>()

  const forget = (now: number) => {
    for (const [nonce, until] of nonces) {
      if (until > now) return
      nonces.delete(nonce)
    }
  }

  const problemWith = (claim: SignatureClaim, now: number): GatewayError | null => {
    if (claim.accessKeyId !== rules.accessKeyId)
      return refuse(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.')
    if (!claim.complete || claim.nonce === '')
      return refuse(400, 'IncompleteSignature', 'The request signature does not conform to Aliyun standards.')
    if (Number.isNaN(claim.signedAt))
      return refuse(
        400,
        'InvalidTimeStamp.Format',
        'Specified time stamp or date value is not well formatted.',
      )
    if (Math.abs(now - claim.signedAt) > rules.clockSkewMs)
      return refuse(400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.')
    if (!claim.bodyMatches || claim.expected(rules.accessKeySecret) !== claim.signature)
      return refuse(403, 'SignatureDoesNotMatch', 'Specified signature is not matched with our calculation.')
    if (rules.securityToken !== '' && claim.securityToken !== rules.securityToken)
      return refuse(
        400,
        'InvalidSecurityToken.MismatchWithAccessKey',
        'Specified SecurityToken mismatch with the AccessKey.',
      )
    if (nonces.has(claim.nonce))
      return refuse(400, 'SignatureNonceUsed', 'Specified signature nonce was used already.')
    return null
  }

  return (
    call: ReceivedCall,
    now: number,
  ): { readonly error: GatewayError } | { readonly claim: SignatureClaim } => {
    const claim = readAcs3(call) ?? readV2(call)
    if (claim === null)
      return { error: refuse(400, 'MissingSignature', 'Signature is mandatory for this action.') }
    forget(now)
    const error = problemWith(claim, now)
    if (error !== null) return { error }
    nonces.set(claim.nonce, now + 2 * rules.clockSkewMs)
    return { claim }
  }
}
