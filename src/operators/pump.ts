/**
 * Returns a function that does `step` until it says false. Called again from within a step it returns at once and
 * the loop under way goes on, so however steps set each other off, the stack stays flat.
 */
export const createPump = (step: () => boolean): (() => void) => {
  let pumping = false
  return () => {
    if (pumping) return
    pumping = true
    try {
      while (step());
    } finally {
      pumping = false
    }
  }
}
