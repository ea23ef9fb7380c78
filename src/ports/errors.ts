/**
 * The errors that the ports may throw on purpose, beside `RestoredDatabaseError` of the domain. Expected failures are values; any other error that is thrown is
 * a defect.
 */

/** The other side is out of reach, busy or restarting. The same call may work after a pause. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  /** Failures with the same code are one problem, however their texts differ; null when the text is all there is. */
  readonly code: string | null

  constructor(message: string, { code = null, ...options }: { cause?: unknown; code?: string | null } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Another process drives this account now. Every call and every write has to stop at once. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

/** The partition holds another log than the one that was read. Nothing of it is taken in before an operator accepts it. */
export class StoppedPartitionError extends Error {
  override readonly name = 'StoppedPartitionError'
}
