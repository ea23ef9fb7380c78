/** What the provider's result files say of the devices of a job. */

/** What a row of a result file says of one device. */
export interface DeviceResult {
  readonly code: string
  readonly message: string | null
}

/** What a device's code means for its move. A code that is in no table is `unknown`, and never taken for permanent. */
export type CodeClass = 'moved' | 'permanent' | 'retryable' | 'unknown'

/**
 * The codes that a row may carry, in lower case because the casing of the documentation varies. The provider documents
 * only 200 for rows (page of QueryDeviceDistributeDetail, help.aliyun.com/document_detail/199533.html). The others are
 * documented for calls, in the general table of codes (document 87387), and are listed here because a row may repeat
 * them. A move with a code that is not listed is tried again up to the attempt limit.
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

/** The class of a device's code. Its case and spaces around it are ignored. */
export const classifyDeviceCode = (code: string): CodeClass =>
  classes.get(code.trim().toLowerCase()) ?? 'unknown'

type Rows = ReadonlyMap<string, DeviceResult>

/**
 * Joins the rows of two result files of one job. The newer row of a device counts, except that a device which either
 * file reports as moved has moved and is never sent again.
 */
export const mergeRows = (older: Rows, newer: Rows): Rows => {
  const merged = new Map(older)
  for (const [name, row] of newer) {
    const known = older.get(name)
    if (known === undefined || classifyDeviceCode(known.code) !== 'moved') merged.set(name, row)
  }
  return merged
}
