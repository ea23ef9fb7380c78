/** Whether the provider answers, derived from the results of all calls. */
import { asyncScheduler } from 'rxjs'
import type { FlowEvent } from '../domain/flow-event'

/** No call has succeeded for some time. Instants are ISO 8601. */
export interface ProviderTrouble {
  readonly kind: 'unreachable' | 'throttled'
  /** When the first of the failed calls was sent. */
  readonly since: string
  /** When the last of them ended. */
  readonly lastAt: string
  readonly calls: number
  /** Operation of the last of them. */
  readonly operation: string
  readonly code: string
}

export interface ProviderBook {
  /** Takes in an event that all others have seen already. Gives the event that follows from it, or null. */
  notice(event: FlowEvent): FlowEvent | null
  /** null: the provider is not known to be in trouble. */
  trouble(): ProviderTrouble | null
  /** The operation whose last answer was that the account is refused, and its code; null when there is none. */
  refusal(): { readonly operation: string; readonly code: string } | null
}

/** One lost or throttled call now and then is no trouble. Two in a row are, once they have failed for this long, ms. */
const troubledAfterMs = 5_000
const troubledAfterCalls = 2

type CallEnded = Extract<FlowEvent, { kind: 'call-ended' }>

const iso = (atMs: number): string => new Date(atMs).toISOString()

const kindOf = ({ result }: CallEnded): ProviderTrouble['kind'] | null => {
  if (result === 'throttled') return 'throttled'
  return result === 'not-sent' || result === 'unanswered' ? 'unreachable' : null
}

/** The trouble as a sentence for people. */
export const troubleText = ({ kind, since, lastAt, operation, code }: ProviderTrouble): string => {
  const what = kind === 'unreachable' ? 'cannot be reached' : 'throttles every call'
  return `the provider ${what} since ${since}: ${code} (${operation}, last tried ${lastAt})`
}

export const createProviderBook = (): ProviderBook => {
  const refusals = new Map<string, string>()
  /** The calls that have failed since the last answer. */
  let row: ProviderTrouble | null = null
  /** The trouble that was reported last; null when the provider has answered since. */
  let told: ProviderTrouble | null = null

  const failed = (call: CallEnded, kind: ProviderTrouble['kind']): FlowEvent | null => {
    const now = asyncScheduler.now()
    const since = row?.since ?? iso(now - call.tookMs)
    const { operation, code } = call
    row = {
      kind,
      since,
      lastAt: iso(now),
      calls: (row?.calls ?? 0) + 1,
      operation,
      code: code ?? call.result,
    }
    if (row.calls < troubledAfterCalls || now - Date.parse(since) < troubledAfterMs) return null
    const isNews = told?.kind !== kind || told.code !== row.code
    told = row
    return isNews
      ? {
          kind: kind === 'unreachable' ? 'provider-unreachable' : 'provider-throttles',
          since,
          operation,
          code: row.code,
        }
      : null
  }
  const answered = (): FlowEvent | null => {
    const before = told
    row = null
    told = null
    return before === null ? null : { kind: 'provider-answers', after: before.kind, since: before.since }
  }

  return {
    notice: event => {
      switch (event.kind) {
        case 'account-refused':
          refusals.set(event.operation, event.code)
          return null
        case 'call-ended': {
          if (event.result === 'ok') refusals.delete(event.operation)
          const kind = kindOf(event)
          return kind === null ? answered() : failed(event, kind)
        }
        case 'standing-by':
          // Another process makes the calls from now on.
          row = null
          told = null
          refusals.clear()
          return null
        default:
          return null
      }
    },
    trouble: () => told,
    refusal: () => {
      const [first] = refusals
      return first === undefined ? null : { operation: first[0], code: first[1] }
    },
  }
}
