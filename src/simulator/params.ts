/** Decoded pairs in the order they came. */
export type Pairs = readonly (readonly [key: string, value: string])[]
export type Params = ReadonlyMap<string, string>

const decode = (raw: string): string => {
  if (!raw.includes('%') && !raw.includes('+')) return raw
  const spaced = raw.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    // A stray percent sign stands for itself.
    return spaced
  }
}

/** A query string or form, decoded. */
export const parsePairs = (raw: string): Pairs =>
  raw
    .split('&')
    .filter(pair => pair !== '')
    .map(pair => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))]
    })

/** The values of `<prefix>.1<suffix>`, `<prefix>.2<suffix>`, … by rising number; gaps are skipped. */
export const listOf = (params: Params, prefix: string, suffix = ''): string[] => {
  const found: [number, string][] = []
  for (const [key, value] of params) {
    if (!key.startsWith(`${prefix}.`) || !key.endsWith(suffix)) continue
    const number = Number(key.slice(prefix.length + 1, key.length - suffix.length))
    if (Number.isInteger(number) && number > 0) found.push([number, value])
  }
  return found.sort(([a], [b]) => a - b).map(([, value]) => value)
}
