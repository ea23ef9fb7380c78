import { setTimeout as pause } from 'node:timers/promises'

/** Waits until `isSo`; the test's own time-out is the limit. For what gives no signal, like the state of a broker. */
export const until = async (isSo: () => Promise<boolean>, everyMs = 50): Promise<void> => {
  while (!(await isSo())) await pause(everyMs)
}
