/** Reads a body as a stream and stops at `maxBytes`: what a compressed body grows to is known only then. */
export const readCapped = async (
  response: Response,
  maxBytes: number,
): Promise<{ readonly body: Uint8Array; readonly complete: boolean }> => {
  const reader = response.body?.getReader()
  if (!reader) return { body: new Uint8Array(), complete: true }
  const pieces: Uint8Array[] = []
  let size = 0
  let complete = false
  while (size <= maxBytes && !complete) {
    const { done, value } = await reader.read()
    if (value) {
      pieces.push(value)
      size += value.byteLength
    }
    complete = done
  }
  if (!complete) await reader.cancel()
  return { body: Buffer.concat(pieces, Math.min(size, maxBytes)), complete }
}
