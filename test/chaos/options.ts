import { parseArgs } from 'node:util'

export interface ChaosOptions {
  readonly devices: number
  readonly seed: number
  /** For how long requests are sent and disturbances happen, ms. */
  readonly forMs: number
  /** Mean time between two disturbances, ms. */
  readonly everyMs: number
  readonly longestFreezeMs: number
  readonly replicas: number
  readonly routes: number
  readonly batch: number
  /** How often the driver is killed, with no other disturbance; null: disturbances of every kind happen. */
  readonly kills: number | null
  /** Whether the provider has faults too. */
  readonly faults: boolean
  /** Directory for the logs; null: a temporary one, which is kept if the run fails. */
  readonly logs: string | null
}

export const usage = `npm run test:chaos -- [--devices 20000] [--seed 1] [--seconds 60] [--every 4] [--freeze 15]
                         [--replicas 3] [--routes 12] [--batch 500] [--kills N] [--faults] [--logs DIR]
  --seconds  how long requests come in and things are disturbed (a multiple of it passes until all is settled)
  --every    mean seconds between two disturbances
  --freeze   longest freeze, seconds
  --kills    at most this many kill -9 of the driver, evenly spread over the time
  --faults   the provider throttles, fails, loses answers, interrupts jobs and leaves out rows, too`

/** @throws Error with a text for people if an argument is not understood. */
export const readOptions = (args: readonly string[]): ChaosOptions => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      devices: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '60' },
      every: { type: 'string', default: '4' },
      freeze: { type: 'string', default: '15' },
      replicas: { type: 'string', default: '3' },
      routes: { type: 'string', default: '12' },
      batch: { type: 'string', default: '500' },
      kills: { type: 'string' },
      faults: { type: 'boolean', default: false },
      logs: { type: 'string' },
    },
  })
  const number = (
    name: 'devices' | 'seed' | 'seconds' | 'every' | 'freeze' | 'replicas' | 'routes' | 'batch' | 'kills',
  ) => {
    const value = Number(values[name])
    if (!(value >= 1)) throw new Error(`--${name}: a number of 1 or more`)
    return value
  }
  return {
    devices: number('devices'),
    seed: number('seed'),
    forMs: number('seconds') * 1_000,
    everyMs: number('every') * 1_000,
    longestFreezeMs: number('freeze') * 1_000,
    replicas: number('replicas'),
    routes: number('routes'),
    batch: number('batch'),
    kills: values.kills === undefined ? null : number('kills'),
    faults: values.faults,
    logs: values.logs ?? null,
  }
}
