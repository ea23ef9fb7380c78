import { firstValueFrom, timer } from 'rxjs'
import type { Conservation } from '../postgres/conservation'
import type { Progress } from './progress'

/** How the work stands, all of it at one moment. */
export interface Look {
  readonly counts: Conservation
  /** Nothing more will happen by itself; never, as long as not all is read. */
  readonly isDone: boolean
}

export interface UntilSettledDeps {
  /** Whether all that is to be counted is in the journal: nothing is done before. */
  readonly isAllRead: () => boolean
  /** `isAllRead`: it was so before. null while the database cannot be reached. */
  readonly look: (isAllRead: boolean) => Promise<Look | null>
  readonly openJobs: () => number
  readonly progress: Progress
  readonly aborted: () => boolean
}

const lookEveryMs = 400

/** Shows the progress until it is done (true) or aborted (false). */
export const untilSettled = async (deps: UntilSettledDeps): Promise<boolean> => {
  for (;;) {
    if (deps.aborted()) return false
    // Asked first: a look may be older than the last of what is read while it is on its way.
    const look = await deps.look(deps.isAllRead())
    if (look !== null) {
      deps.progress.show(look.counts, deps.openJobs())
      if (look.isDone) return true
    }
    await firstValueFrom(timer(lookEveryMs))
  }
}
