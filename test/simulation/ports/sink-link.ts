/** The results topic as one process reaches it. */
import { defer, Observable } from 'rxjs'
import { TransientError } from '../../../src/ports/errors'
import type { OutcomeSink, SinkSession } from '../../../src/ports/outcome-sink'
import type { Clock, Owner } from '../clock'
import type { Faults } from '../faults'
import type { Network } from '../network'

export interface SinkLinkDeps {
  readonly clock: Clock
  readonly network: Network
  readonly faults: Faults
  readonly sink: OutcomeSink
  /** One way, ms. */
  readonly latencyMs: () => number
  readonly atStep: (owner: Owner, step: string) => void
}

export const createSinkLink = (owner: Owner, deps: SinkLinkDeps): OutcomeSink => {
  const { clock, network, faults, sink, latencyMs, atStep } = deps

  const reachable = (session: SinkSession): SinkSession => ({
    position: session.position,
    publish: chunk =>
      new Observable(subscriber => {
        const isAborted = faults.hit('publish aborted')
        const isLost = !isAborted && faults.hit('publish answer lost')
        return network
          .call(owner, () => session.publish(chunk), {
            thereMs: latencyMs(),
            backMs: latencyMs(),
            ...(isAborted ? { refused: new TransientError('the transaction was aborted') } : {}),
            ...(isLost ? { answerLost: new TransientError('no answer to the commit') } : {}),
            done: () => atStep(owner, 'publish'),
          })
          .subscribe(subscriber)
      }),
  })

  return {
    position: () =>
      defer(() =>
        network.call(owner, () => sink.position(), {
          thereMs: latencyMs(),
          backMs: latencyMs(),
          ...(faults.hit('sink refused') ? { refused: new TransientError('the broker is away') } : {}),
        }),
      ),
    open: () =>
      new Observable<SinkSession>(subscriber => {
        if (owner.state === 'dead') return
        let opened: { unsubscribe(): void } | null = null
        const isRefused = faults.hit('sink refused')
        clock.after(clock.world, latencyMs(), () => {
          if (isRefused) {
            clock.as(owner, () => subscriber.error(new TransientError('the broker is away')))
            return
          }
          // If the process has gone meanwhile, the session is open all the same and has fenced the others.
          opened = sink.open().subscribe(session => {
            clock.after(clock.world, latencyMs(), () =>
              clock.as(owner, () => subscriber.next(reachable(session))),
            )
          })
        })
        return () => {
          clock.after(clock.world, latencyMs(), () => opened?.unsubscribe())
        }
      }),
  }
}
