import type { CodeClass, DeviceResult } from './settlement'

/**
 * Codes a row of a result file may carry. The provider documents one: 200 (page of QueryDeviceDistributeDetail,
 * help.aliyun.com/document_detail/199533.html). The others are documented for calls, in the general table of codes
 * (document 87387), and are listed here in case a row repeats them. Whatever is not listed is `unknown`: tried again
 * up to the attempt limit, never permanent by guess. Lower case: the documentation's own casing varies.
 */
const classes: ReadonlyMap<string, CodeClass> = new Map<string, CodeClass>([
  ['200', 'moved'], // 199533: "If the value of the Code parameter is 200, the device is distributed."

  ['iot.device.notexisteddevice', 'permanent'], // 87387: the device does not exist
  ['iot.device.invalidformatteddevicename', 'permanent'], // 87387: the name breaks the naming rule
  ['iot.device.nulldevicename', 'permanent'], // 87387: no name given
  ['iot.common.authactionpermissiondeny', 'permanent'], // 87387: the device does not belong to this account
  ['iot.prod.notexistedproduct', 'permanent'], // 87387: the product does not exist
  ['iot.system.instancenotfound', 'permanent'], // 87387: no such instance
  ['iot.sre.iotinstancenotfound', 'permanent'], // 87387: no such instance
  ['iot.system.instanceidsame', 'permanent'], // alibabacloud.com/help/doc-detail/87387.htm: source is target

  ['iot.system.systemexception', 'retryable'], // 87387: "try again later"
  ['serviceunavailable', 'retryable'], // alibabacloud.com/help/zh/doc-detail/26314.htm: temporary failure
  ['internalerror', 'retryable'], // the same page: retry advised
  ['throttling', 'retryable'], // help.aliyun.com/document_detail/51132.html
  ['throttling.user', 'retryable'], // the same family
])

/** What a device's code says of its move. Spaces around it and its case do not count. */
export const classifyDeviceCode = (code: string): CodeClass =>
  classes.get(code.trim().toLowerCase()) ?? 'unknown'

type Rows = ReadonlyMap<string, DeviceResult>

/**
 * What two result files of one job say together. The newer counts, except that a device which one of them has seen
 * moved has moved: it is never to be sent again.
 */
export const mergeRows = (older: Rows, newer: Rows): Rows => {
  const merged = new Map(older)
  for (const [name, row] of newer) {
    const known = older.get(name)
    if (known === undefined || classifyDeviceCode(known.code) !== 'moved') merged.set(name, row)
  }
  return merged
}
