/** The parts we use of packages that come without types. */
declare module 'snappyjs' {
  /** Raw snappy, without framing. Throws on bad input, and when the result would exceed `maxLength` bytes. */
  export function uncompress(compressed: Buffer, maxLength?: number): Buffer
  export function compress(uncompressed: Buffer): Buffer
}

declare module 'lz4js' {
  /** One LZ4 frame. */
  export function compress(uncompressed: Uint8Array): Uint8Array
}
