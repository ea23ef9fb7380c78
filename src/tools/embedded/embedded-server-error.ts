/** A local server cannot be had. The text says why and what to do. */
export class EmbeddedServerError extends Error {
  override readonly name: string = 'EmbeddedServerError'
}

/** The directory that was named cannot hold its data. */
export class NoPlaceError extends EmbeddedServerError {
  override readonly name = 'NoPlaceError'
}
