import type { IncomingHttpHeaders } from 'node:http'
import { readAcs3 } from './acs3-signature'
import type { GatewayError } from './answer'
import type { ReceivedCall, SignatureClaim } from './signature-claim'
import { readV2 } from './v2-signature'

export interface SignatureRules {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  /** Empty: any token or none. */
  readonly securityToken: string
  readonly clockSkewMs: number
}

/** Header values as text, names in lower case. */
export const plainHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  )

const refuse = (status: number, code: string, message: string): GatewayError => ({ status, code, message })

/**
 * Checks both kinds of signature, the time stamp, and that a nonce is used once (a byte-identical repeat is
 * refused). The error, or the claim that holds.
 */
export const createSignatureCheck = (rules: SignatureRules) => {
  /** Nonce → when it may be forgotten; oldest first. */
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
