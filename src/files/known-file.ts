import type { FileFormat } from './detect-format'

/** A file whose content is known. */
export interface KnownFile {
  readonly path: string
  /** What people call it: the path, or standard input. */
  readonly name: string
  readonly sha256: string
  /** Its size when it was hashed: another size means that it was changed since. */
  readonly bytes: number
  readonly format: FileFormat
}
