/** Lists that a database has worked on besides the one that is moved: what has ended of them is not shown with it. */
import { plural } from '../job-troubles'
import type { Conservation } from '../postgres/conservation'
import type { OtherLists } from '../postgres/other-lists'

/** The counts less what had ended of others: they still add up. */
export const without = (counts: Conservation, { ended }: OtherLists): Conservation => ({
  ...counts,
  accepted: counts.accepted - Object.values(ended).reduce((sum, count) => sum + count, 0),
  moved: counts.moved - ended.moved,
  failed: counts.failed - ended.failed,
  rejected: counts.rejected - ended.rejected,
  superseded: counts.superseded - ended.superseded,
  duplicate: counts.duplicate - ended.duplicate,
})

export const otherListsText = ({ lists }: OtherLists): string =>
  `this database has worked on ${plural(lists, 'other list')} (a file whose content has changed is another one): ` +
  'only lines with the same requestId and device are duplicates, all others are sent, moved before or not'
