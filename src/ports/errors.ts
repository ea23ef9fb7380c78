/** Out of reach, busy or restarting: worth doing again after a pause. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  /** Failures with the same code are one problem, however their texts differ; null: the text is all there is. */
  readonly code: string | null

  constructor(message: string, { code = null, ...options }: { cause?: unknown; code?: string | null } = {}) {
    super(message, options)
    this.code = code
  }
}
/** Another process drives this account now: stop every call and every write at once. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}
