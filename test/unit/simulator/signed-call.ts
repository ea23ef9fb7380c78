import { createHash, createHmac } from 'node:crypto'
import { parsePairs } from '../../../src/tools/simulator/call'
import type { ReceivedCall } from '../../../src/tools/simulator/signature'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export interface CallSpec {
  readonly action: string
  readonly at: number
  /** Encoded, keys in order. */
  readonly query?: string
  readonly form?: string
  readonly nonce?: string
  readonly secret?: string
  readonly accessKeyId?: string
  readonly version?: string
  readonly token?: string
}

let nonces = 0

/** A call signed with version 3, written from the rules and not from the simulator's own code. */
export const signedV3 = (spec: CallSpec): ReceivedCall => {
  const { query = '', form = '', secret = 'simulator-secret', accessKeyId = 'simulator' } = spec
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    host: '127.0.0.1:1234',
    'x-acs-action': spec.action,
    'x-acs-content-sha256': sha256(form),
    'x-acs-date': new Date(spec.at).toISOString(),
    'x-acs-signature-nonce': spec.nonce ?? `nonce-${nonces++}`,
    'x-acs-version': spec.version ?? '2018-01-20',
    ...(spec.token === undefined ? {} : { 'x-acs-security-token': spec.token }),
  }
  const signed = Object.keys(headers).sort()
  const lines = signed.map(name => `${name}:${headers[name]}\n`).join('')
  const canonical = `POST\n/\n${query}\n${lines}\n${signed.join(';')}\n${sha256(form)}`
  const signature = createHmac('sha256', secret)
    .update(`ACS3-HMAC-SHA256\n${sha256(canonical)}`)
    .digest('hex')
  const authorization = `ACS3-HMAC-SHA256 Credential=${accessKeyId},SignedHeaders=${signed.join(';')},Signature=${signature}`
  return {
    method: 'POST',
    path: '/',
    query: parsePairs(query),
    form: parsePairs(form),
    headers: { ...headers, authorization },
    body: Buffer.from(form),
  }
}

/** A call signed with version 2; `query` and `form` must be plain letters and digits here. */
export const signedV2 = (spec: CallSpec): ReceivedCall => {
  const { query = '', form = '', secret = 'simulator-secret', accessKeyId = 'simulator' } = spec
  const params: Record<string, string> = {
    AccessKeyId: accessKeyId,
    Action: spec.action,
    SignatureMethod: 'HMAC-SHA1',
    SignatureNonce: spec.nonce ?? `nonce-${nonces++}`,
    SignatureVersion: '1.0',
    Timestamp: new Date(spec.at).toISOString(),
    Version: spec.version ?? '2018-01-20',
    ...Object.fromEntries(parsePairs(query)),
  }
  const all = { ...params, ...Object.fromEntries(parsePairs(form)) } as Record<string, string>
  const canonical = Object.keys(all)
    .sort()
    .map(key => `${key}=${encodeURIComponent(all[key] ?? '')}`)
    .join('&')
  const stringToSign = `POST&%2F&${encodeURIComponent(canonical)}`
  const signature = createHmac('sha1', `${secret}&`).update(stringToSign).digest('base64')
  return {
    method: 'POST',
    path: '/',
    query: Object.entries({ ...params, Signature: signature }),
    form: parsePairs(form),
    headers: { host: '127.0.0.1:1234' },
    body: Buffer.from(form),
  }
}
