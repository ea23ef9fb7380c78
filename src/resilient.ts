import { type MonoTypeOperatorFunction, Observable } from 'rxjs'

/**
 * The same port, each of its methods repeated by `again` when it fails: every step of the journal is idempotent, so
 * whoever calls it need not know that the database was away for a minute.
 */
export const resilient = <Port extends object>(
  port: Port,
  again: <T>() => MonoTypeOperatorFunction<T>,
): Port => {
  const wrapped = Object.entries(port).map(([name, member]: [string, unknown]) => {
    if (typeof member !== 'function') return [name, member]
    return [
      name,
      (...args: readonly unknown[]): unknown => {
        const result: unknown = member(...args)
        return result instanceof Observable ? result.pipe(again()) : result
      },
    ]
  })
  // Same names, same signatures: only what the Observables do on an error differs.
  return Object.fromEntries(wrapped) as Port
}
