import { firstValueFrom, timer } from 'rxjs'
import type { Conservation } from '../postgres/conservation'
import type { Progress } from './progress'

export interface UntilSettledDeps {
  /** Whether all that is to be counted is in the journal: nothing is done before. */
  readonly isAllRead: () => boolean
  /** null while the database cannot be reached. */
  readonly conservation: () => Promise<Conservation | null>
  /** Whether nothing more will happen, by counts of when all was read. */
  readonly isDone: (counts: Conservation) => boolean | Promise<boolean>
  readonly openJobs: () => number
  readonly progress: Progress
  readonly aborted: () => boolean
}

const lookEveryMs = 400

/** Shows the progress until it is done (true) or aborted (false). */
export const untilSettled = async (deps: UntilSettledDeps): Promise<boolean> => {
  for (;;) {
    if (deps.aborted()) return false
    // Asked first: counts may be older than the last of what is read while they are on their way.
    const isAllRead = deps.isAllRead()
    const counts = await deps.conservation()
    if (counts !== null) {
      deps.progress.show(counts, deps.openJobs())
      if (isAllRead && (await deps.isDone(counts))) return true
    }
    await firstValueFrom(timer(lookEveryMs))
  }
}
