/** Whether the provider answers, as every call to it tells, whichever flow made it. */
import { asyncScheduler } from 'rxjs'
import type { FlowEvent } from '../domain/flow-event'

/** No call has succeeded for a while. Instants are ISO 8601. */
export interface ProviderTrouble {
  readonly kind: 'unreachable' | 'throttled'
  /** When the first call that failed so left. */
  readonly since: string
  /** When the last one ended. */
  readonly lastAt: string
  readonly calls: number
  /** Of the last one. */
  readonly operation: string
  readonly code: string
}

export interface ProviderBook {
  /** Told of every event, right after it was told to everybody else; what it makes of it is news, or null. */
  notice(event: FlowEvent): FlowEvent | null
  /** null: it answers, as far as is known. */
  trouble(): ProviderTrouble | null
  /** The last answer to an operation was that the account is refused. */
  refusal(): { readonly operation: string; readonly code: string } | null
}

/** One lost answer, or a call throttled now and then, is no trouble: it takes two calls in a row and so long, ms. */
const troubledAfterMs = 5_000
const troubledAfterCalls = 2

type CallEnded = Extract<FlowEvent, { kind: 'call-ended' }>

const iso = (atMs: number): string => new Date(atMs).toISOString()

const kindOf = ({ result }: CallEnded): ProviderTrouble['kind'] | null => {
  if (result === 'throttled') return 'throttled'
  return result === 'not-sent' || result === 'unanswered' ? 'unreachable' : null
}

/** For people. */
export const troubleText = ({ kind, since, lastAt, operation, code }: ProviderTrouble): string => {
  const what = kind === 'unreachable' ? 'cannot be reached' : 'throttles every call'
  return `the provider ${what} since ${since}: ${code} (${operation}, last tried ${lastAt})`
}

export const createProviderBook = (): ProviderBook => {
  const refusals = new Map<string, string>()
  /** Calls in a row that came to nothing. */
  let row: ProviderTrouble | null = null
  /** What was last told of it; null: that all is well. */
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
          ...{ since, operation, code: row.code },
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
          // Another process calls now: this one does not know any longer.
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
