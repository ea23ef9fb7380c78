import type { IncomingMessage } from 'node:http'

/** Decoded pairs, in the order in which they came. */
export type Pairs = readonly (readonly [key: string, value: string])[]
export type Params = ReadonlyMap<string, string>

const decode = (raw: string): string => {
  if (!raw.includes('%') && !raw.includes('+')) return raw
  const spaced = raw.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    // A percent sign that begins no code stands for itself.
    return spaced
  }
}

/** The pairs of a query string or form, decoded. */
export const parsePairs = (raw: string): Pairs =>
  raw
    .split('&')
    .filter(pair => pair !== '')
    .map(pair => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))]
    })

/** The values of `<prefix>.1<suffix>`, `<prefix>.2<suffix>` and so on, by rising number; gaps are skipped. */
export const listOf = (params: Params, prefix: string, suffix = ''): string[] => {
  const found: [number, string][] = []
  for (const [key, value] of params) {
    if (!key.startsWith(`${prefix}.`) || !key.endsWith(suffix)) continue
    const number = Number(key.slice(prefix.length + 1, key.length - suffix.length))
    if (Number.isInteger(number) && number > 0) found.push([number, value])
  }
  return found.sort(([a], [b]) => a - b).map(([, value]) => value)
}

/** Our short names of the provider's operations. */
export const actions = {
  create: 'CreateDeviceDistributeJob',
  query: 'QueryDeviceDistributeJob',
  list: 'ListDeviceDistributeJob',
  detail: 'QueryDeviceDistributeDetail',
  delete: 'DeleteDeviceDistributeJob',
  provisioning: 'QueryDeviceProvisioning',
} as const

export type Operation = keyof typeof actions

export const operations = Object.keys(actions) as readonly Operation[]

export const operationOf = (action: string): Operation | undefined =>
  operations.find(operation => actions[operation] === action)

/** The whole body, chunked or not; null if it is longer than `maxBytes`. Rejects when the caller goes away. */
export const readBody = async (request: IncomingMessage, maxBytes: number): Promise<Buffer | null> => {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    // A body that is too long is read to its end all the same, so that the caller sees the answer instead of a broken
    // connection.
    if (bytes <= maxBytes) parts.push(part)
  }
  return bytes <= maxBytes ? Buffer.concat(parts) : null
}
