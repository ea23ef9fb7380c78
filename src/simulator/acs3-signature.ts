import { createHash, createHmac } from 'node:crypto'
import { canonicalPairs } from './percent-encoding'
import type { ReceivedCall, SignatureClaim } from './signature-claim'

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

/** Version 3: everything in headers, the body covered by its hash. null: the call is not signed this way. */
export const readAcs3 = (call: ReceivedCall): SignatureClaim | null => {
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
