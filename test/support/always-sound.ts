import { NEVER, of } from 'rxjs'
import type { Soundness } from '../../src/ports/soundness'

/** A database that loses nothing. */
export const alwaysSound: Soundness = { look: () => of(null), stop: () => of(undefined), met$: NEVER }
