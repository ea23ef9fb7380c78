import { type CliProcess, urlOf } from './cli-process'
import { until } from './until'

export interface Readiness {
  readonly status: number
  readonly because: readonly string[]
}

/** What a running service answers at /readyz. */
export const readiness = async (service: CliProcess): Promise<Readiness> => {
  const answer = await fetch(`${await urlOf(service)}/readyz`)
  return { status: answer.status, because: ((await answer.json()) as Readiness).because }
}
export const untilReady = (service: CliProcess): Promise<void> =>
  until(async () => (await readiness(service)).status === 200)
/** Waits until it is not ready, for a reason that has this text in it. */
export const untilUnready = async (service: CliProcess, because: string): Promise<void> => {
  await until(async () => {
    const now = await readiness(service)
    return now.status === 503 && now.because.some(reason => reason.includes(because))
  })
}
