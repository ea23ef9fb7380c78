import { setTimeout as pause } from 'node:timers/promises'

/**
 * Asks again and again until the answer is true; the test's own time limit ends it otherwise. For what gives no signal,
 * like the state of a broker.
 */
export const until = async (isTrue: () => Promise<boolean>, everyMs = 100): Promise<void> => {
  while (!(await isTrue())) await pause(everyMs)
}
