import { createHmac } from 'node:crypto'
import { canonicalPairs, percentEncode } from './percent-encoding'
import type { ReceivedCall, SignatureClaim } from './signature-claim'

/** The older signature, in the parameters themselves (query or form). null: the call is not signed this way. */
export const readV2 = (call: ReceivedCall): SignatureClaim | null => {
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
