import type { Disturbances } from './disturb'
import type { Verdict } from './verdict'

/** A figure, and what it must be; without a limit it is only shown. */
export interface Figure {
  readonly label: string
  readonly value: string | number
  readonly mustBe?: number
}

export interface Run {
  readonly seed: number
  readonly devices: number
  readonly requests: number
  readonly sent: number
  readonly seconds: number
  readonly longestPauseMs: number
  readonly worstGap: number
  readonly exits: number
  readonly disturbances: Readonly<Disturbances>
}

const counts = (record: Readonly<Record<string, number>>): string =>
  Object.entries(record)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none'

export const figures = (run: Run, verdict: Verdict): Figure[] => {
  const { disturbances: done } = run
  const { results, conservation, truth, devices, audit } = verdict
  const ended = (name: string): number => conservation[name] ?? 0
  const final = (name: string): number => results.byOutcome[name] ?? 0
  return [
    { label: 'seed', value: run.seed },
    { label: 'devices', value: run.devices },
    { label: 'requests for a device; records sent', value: `${run.requests}; ${run.sent}` },
    { label: 'seconds', value: run.seconds.toFixed(0) },
    { label: 'kill -9 of a replica', value: done.kills },
    {
      label: 'freezes of a replica',
      value: `${done.freezes}, up to ${(done.longestFreezeMs / 1000).toFixed(0)} s`,
    },
    {
      label: 'restarts: broker, PostgreSQL; freezes of the broker',
      value: `${done.brokerRestarts}, ${done.postgresRestarts}; ${done.brokerFreezes}`,
    },
    {
      label: 'links cut, half closed, delayed, swallowed',
      value: `${done.cuts}, ${done.halfCloses}, ${done.delays}, ${done.swallows}`,
    },
    { label: 'replicas that ended by themselves and were started again', value: run.exits },
    { label: 'longest time without progress, s', value: (run.longestPauseMs / 1000).toFixed(1) },
    { label: 'final outcomes', value: counts(results.byOutcome) },
    { label: 'failed by code', value: counts(results.failedByCode) },
    { label: 'faults of the provider', value: counts(audit.faults) },
    { label: 'jobs; most open at once', value: `${audit.ownJobs}; ${audit.maxOpenJobs}` },
    { label: 'devices of unknown fate at some attempt', value: devices.uncertain },
    { label: 'sent again where no file had told of the move', value: truth.repeatedUntold },
    { label: 'lost (no final outcome)', value: results.lost, mustBe: 0 },
    { label: 'double (told to move again what had moved)', value: truth.movedTwice, mustBe: 0 },
    { label: 'moved by the provider, but not so told', value: devices.movedUntold, mustBe: 0 },
    { label: 'told moved, but not by the provider', value: devices.toldUnmoved, mustBe: 0 },
    { label: 'results twice for a reader of committed records', value: results.repeatedIds, mustBe: 0 },
    { label: 'second final results', value: results.secondFinals, mustBe: 0 },
    { label: 'results of requests nobody made', value: results.strangers, mustBe: 0 },
    { label: 'results out of order', value: results.outOfOrder, mustBe: 0 },
    { label: 'rightly asked and rejected, or the other way round', value: results.misjudged, mustBe: 0 },
    {
      label: 'final results that the database does not know, or the other way round',
      value: ['moved', 'failed', 'rejected', 'superseded']
        .map(name => Math.abs(ended(name) - final(name)))
        .reduce((sum, difference) => sum + difference, 0),
      mustBe: 0,
    },
    {
      label: 'dead letters missing or too many',
      value: Math.abs(verdict.deadLetters - final('failed') - final('rejected')),
      mustBe: 0,
    },
    { label: 'quota breaches', value: audit.breaches, mustBe: 0 },
    { label: 'jobs open beyond the limit', value: Math.max(0, audit.maxOpenJobs - 10), mustBe: 0 },
    {
      label: 'not settled',
      value: ended('pending') + ended('in_flight') + ended('retrying') + ended('held'),
      mustBe: 0,
    },
    { label: 'conservation gap at the end', value: ended('gap'), mustBe: 0 },
    { label: 'largest conservation gap on the way', value: run.worstGap, mustBe: 0 },
  ]
}

export const isGood = (figure: Figure): boolean =>
  figure.mustBe === undefined || figure.value === figure.mustBe

export const asText = (all: readonly Figure[]): string => {
  const width = Math.max(...all.map(({ label }) => label.length))
  return all
    .map(figure => {
      const limit = figure.mustBe === undefined ? '' : `  must be ${figure.mustBe}`
      return `  ${figure.label.padEnd(width)}  ${figure.value}${limit}${isGood(figure) ? '' : '  <-- NOT GOOD'}\n`
    })
    .join('')
}
