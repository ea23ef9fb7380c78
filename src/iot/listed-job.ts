import type { ListedJob, ProviderStatus } from '../ports'
import { fieldsOf, listOf, textOf, wholeNumberOf } from './answer-fields'

const statusOf = (value: number | null): ProviderStatus | null =>
  value === 0 || value === 1 || value === 2 || value === 3 ? value : null

/** A job as List and Query write it; null if anything we decide by is missing or is not what it should be. */
export const readListedJob = (item: unknown): ListedJob | null => {
  const fields = fieldsOf(item)
  const providerJobId = textOf(fields, 'JobId')
  const status = statusOf(wholeNumberOf(fields, 'Status'))
  const productKey = textOf(fields, 'ProductKey')
  const sourceInstanceId = textOf(fields, 'SourceInstanceId')
  const strategy = wholeNumberOf(fields, 'Strategy')
  const total = wholeNumberOf(fields, 'Total')
  const createdAt = wholeNumberOf(fields, 'GmtCreate')
  if (providerJobId === null || status === null || productKey === null || sourceInstanceId === null)
    return null
  if (strategy === null || total === null || createdAt === null) return null

  // Documented inside a wrapper of its own name in lower case; a bare list is read as well.
  const targetInstanceIds = listOf(fields.TargetInstanceConfigs)
    .map(config => textOf(fieldsOf(config), 'TargetInstanceId'))
    .filter(id => id !== null)
    .sort()
  const targetUid = textOf(fields, 'TargetUid')
  return {
    providerJobId,
    status,
    productKey,
    sourceInstanceId,
    strategy,
    targetInstanceIds,
    targetUid,
    total,
    createdAt,
  }
}
