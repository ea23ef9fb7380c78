/** The promises that are checked when a run is over. */
import type { World } from '../world'
import { checkAfterLoss } from './check-after-loss'
import { checkCalls } from './check-calls'
import { checkHeld } from './check-held'
import { checkJobs } from './check-jobs'
import { checkMoves } from './check-moves'
import { checkOrder } from './check-order'
import { checkPublished } from './check-published'
import { checkUnadopted } from './check-unadopted'
import { checkVerdicts } from './check-verdicts'

export const checkAtEnd = (world: World): void => {
  for (const check of [
    checkCalls,
    checkJobs,
    checkUnadopted,
    checkHeld,
    checkMoves,
    checkPublished,
    checkOrder,
    checkVerdicts,
    checkAfterLoss,
  ])
    check(world)
}
