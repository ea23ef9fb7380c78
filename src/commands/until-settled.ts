import { setTimeout as pause } from 'node:timers/promises'
import type { Conservation } from '../postgres/conservation'
import type { Progress } from './progress'

export interface UntilSettledDeps {
  /** null while the database cannot be reached. */
  readonly conservation: () => Promise<Conservation | null>
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
    const counts = await deps.conservation()
    if (counts !== null) {
      deps.progress.show(counts, deps.openJobs())
      if (await deps.isDone(counts)) return true
    }
    await pause(lookEveryMs)
  }
}
