import type { Operation } from '../../../src/ports/job-api'
import type { World } from '../world'

/** Calls of each operation that are allowed in a second. */
const perOperation: readonly (readonly [Operation, number])[] = [
  ['create', 2],
  ['detail', 5],
  ['query', 10],
  ['list', 5],
]

/** In any sliding second the provider sees at most the allowed number of calls of all replicas together. */
export const checkCalls = ({ provider, plan, violations }: World): void => {
  const { audit } = provider
  const most = audit.maxCallsInAnySecond()
  if (most > plan.qps)
    violations.broken('the quota is kept', `${most} calls in a second, ${plan.qps} allowed`)
  for (const [operation, allowed] of perOperation) {
    const calls = audit.maxCallsInAnySecond(operation)
    if (calls > allowed)
      violations.broken('the quota is kept', `${calls} times ${operation} in a second, ${allowed} allowed`)
  }
}
