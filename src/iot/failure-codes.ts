import type { FailureKind } from '../ports'

/**
 * The one table of failure codes; one source a row. Compared without regard to case, since the documentation's own
 * varies. What is in no row is `unknown`, never permanent by guess. "87387" is document 87387 of the IoT Platform
 * (error codes); "51132" is help.aliyun.com/document_detail/51132.html; "26314" is
 * alibabacloud.com/help/zh/doc-detail/26314.htm; "sdk" is @alicloud/openapi-client 0.4.15, read or measured.
 */
type Row = readonly [code: string, kind: FailureKind]

const exact: readonly Row[] = [
  // Rejected by the gateway for what this account may do.
  ['SignatureDoesNotMatch', 'account-refused'], // 51132
  ['IncompleteSignature', 'account-refused'], // 51132
  ['InvalidSecurityToken.Expired', 'account-refused'], // seen in public code: a token of STS ran out
  ['InvalidSecurityToken.Malformed', 'account-refused'], // the same
  ['InvalidTimeStamp.Expired', 'account-refused'], // public reports: our clock is more than 15 min off
  ['Forbidden.RAM', 'account-refused'], // 51132
  ['InvalidCredentials', 'account-refused'], // sdk: no key pair was given
  ['iot.common.RamActionPermissionDeny', 'account-refused'], // 87387
  ['Iot.system.BillIsOverDue', 'account-refused'], // 87387

  // May have run.
  ['SignatureNonceUsed', 'unanswered'], // public reports: the same signed request arrived before, and may have run
  ['ServiceUnavailable', 'unanswered'], // 26314: temporary failure; it does not say that nothing ran
  ['InternalError', 'unanswered'], // 26314
  ['System.Busy', 'unanswered'], // retried by the public Terraform provider; nothing says that nothing ran
  ['iot.system.SystemException', 'unanswered'], // 87387: "try again later"

  // Certainly not sent: node's own codes of a connection that was never made.
  ['ECONNREFUSED', 'not-sent'], // sdk, measured
  ['ENOTFOUND', 'not-sent'], // node: the name does not resolve
  ['EAI_AGAIN', 'not-sent'], // node: the resolver did not answer

  // Answered after validation: the same batch will be refused again.
  ['iot.system.InstanceNotFound', 'batch-refused'], // 87387
  ['iot.Sre.IotInstanceNotFound', 'batch-refused'], // 87387
  ['iot.system.UidNotFound', 'batch-refused'], // 87387: the account is missing or has no IoT Platform
  ['iot.system.IllegalRequest', 'batch-refused'], // 87387
  ['iot.system.InstanceIdSame', 'batch-refused'], // alibabacloud.com/help/doc-detail/87387.htm
  ['iot.common.AuthActionPermissionDeny', 'batch-refused'], // 87387: not a device of this account
  ['iot.common.APINotSupportedInInstance', 'batch-refused'], // 87387
  ['iot.common.InvalidFormattedParameter', 'batch-refused'], // 87387
  ['iot.device.NotExistedDevice', 'batch-refused'], // 87387
  ['iot.device.InvalidFormattedDeviceName', 'batch-refused'], // 87387
  ['iot.device.NoneDeviceNameElement', 'batch-refused'], // 87387: the list is empty
  ['iot.device.NullDeviceName', 'batch-refused'], // 87387
  ['iot.device.DeviceCountExceeded', 'batch-refused'], // 87387
]

const prefixes: readonly Row[] = [
  ['InvalidAccessKeyId', 'account-refused'], // 51132: InvalidAccessKeyId.NotFound, and its family
  ['iot.prod.', 'batch-refused'], // 87387: all of them name a product that cannot be used
  ['iot.check.', 'batch-refused'], // 87387: parameters out of bounds
]

/** 51132; .User, .Api, .User.Flow seen with 400, 429 and inside a 200. The newer SDK looks for the word anywhere. */
const throttling = 'throttling'

const kinds: ReadonlyMap<string, FailureKind> = new Map(
  exact.map(([code, kind]) => [code.toLowerCase(), kind]),
)

/** The kind of a failure code; null when no row has it. */
export const kindOfCode = (code: string): FailureKind | null => {
  const lower = code.toLowerCase()
  if (lower.includes(throttling)) return 'throttled'
  return kinds.get(lower) ?? prefixes.find(([prefix]) => lower.startsWith(prefix.toLowerCase()))?.[1] ?? null
}
