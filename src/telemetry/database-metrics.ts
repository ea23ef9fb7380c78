/** The metrics that are read of the database at a scrape. They are the same in every replica. */
import { Counter, Gauge, type Registry } from 'prom-client'

/** What the database tells, and how old it is. */
export interface DatabaseFigures {
  /** Time since it was read, ms. */
  readonly ageMs: number
  /** Moves taken in, by state. */
  readonly moves: object
  /** Jobs that run for so long that they may never end. */
  readonly overdueJobs: number
  /** Records that Kafka deleted before they were taken in. */
  readonly lostRecords: number
  /** Moves that wait until their devices are looked up. */
  readonly lookUpMoves: number
}

/** Gives null while the database cannot be read. Scrapes share its reads with all others who look. */
export type ReadFigures = () => Promise<DatabaseFigures | null>

export const addDatabaseMetrics = (registry: Registry, read: ReadFigures): void => {
  /** A gauge without a value while the database cannot be read: the figure of an earlier scrape may no longer be true. */
  const gauge = (name: string, help: string, figureOf: (figures: DatabaseFigures) => number): void => {
    new Gauge({
      name: `device_move_${name}`,
      help,
      registers: [registry],
      async collect() {
        const figures = await read()
        if (figures === null) this.remove()
        else this.set(figureOf(figures))
      },
    })
  }
  gauge(
    'database_figures_age_seconds',
    'Time since the figures of the database were read.',
    ({ ageMs }) => ageMs / 1000,
  )
  gauge(
    'overdue_jobs',
    'Jobs that run for so long that they may never end; people are to look at them.',
    ({ overdueJobs }) => overdueJobs,
  )
  new Counter({
    name: 'device_move_lost_records_total',
    help: 'Records that Kafka deleted before they were taken in; must stay 0.',
    registers: [registry],
    async collect() {
      const figures = await read()
      // The count of an earlier scrape stays true while the database cannot be read.
      if (figures === null) return
      this.reset()
      this.inc(figures.lostRecords)
    },
  })
  gauge(
    'look_up_moves',
    'Moves of ended jobs that wait until their devices are looked up, since no result file tells of them.',
    ({ lookUpMoves }) => lookUpMoves,
  )
  new Gauge({
    name: 'device_move_moves',
    help: 'Moves taken in, by state; gap must be 0.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      const figures = await read()
      this.reset()
      for (const [state, count] of Object.entries(figures?.moves ?? {})) this.set({ state }, Number(count))
    },
  })
}
