import type { FlowEvent } from '../domain/flow-event'

/** What people are told of the provider at `endpoint` while they watch a list being moved; null for all that is none of that. */
export const providerNews = (event: FlowEvent, endpoint: string): string | null => {
  switch (event.kind) {
    case 'provider-unreachable':
      return `the provider at ${endpoint} cannot be reached since ${event.since}: ${event.code} (${event.operation}); it is tried again and again`
    case 'provider-throttles':
      return `the provider at ${endpoint} throttles every call since ${event.since}: ${event.code} (${event.operation}); it is tried again and again`
    case 'provider-answers':
      return 'the provider answers again'
    default:
      return null
  }
}
