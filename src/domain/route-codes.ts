/**
 * Codes that speak of what all moves of a route share: its product, instances, account or permissions (error codes
 * of the provider's documentation, page 87387). Sending fewer devices cannot cure them.
 */
const routeCodes: readonly RegExp[] = [
  /^iot\.prod\./i,
  /^iot\.system\./i,
  /^iot\.sre\./i,
  /^iot\.common\.\w*deny$/i,
]

/** False for device codes and for codes in no table: there halving a batch may find the culprit. */
export const concernsRoute = (code: string): boolean => routeCodes.some(pattern => pattern.test(code))
