/** snappyjs comes without types. This is the part of it that is used. */
declare module 'snappyjs' {
  /** Raw snappy, without framing. Throws on bad input, and when the result would exceed `maxLength` bytes. */
  export function uncompress(compressed: Buffer, maxLength?: number): Buffer
  export function compress(uncompressed: Buffer): Buffer
}
