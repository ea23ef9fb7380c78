/**
 * `npm run bench [-- throughput | takeover | fuzz [--cases N] | quota-world | look-up-storm | thin-routes | bad-devices |
 * status-readers | release]`: each measurement prints its figures beside their limits, and fails beyond one.
 */
import { parseArgs } from 'node:util'
import { badDevices } from './bad-devices'
import { fuzz } from './fuzz'
import { lookUpStorm } from './look-up-storm'
import { quotaWorld } from './quota-world-cases'
import { release } from './release'
import { statusReaders } from './status-readers'
import { takeover } from './takeover'
import { thinRoutes } from './thin-routes'
import { throughput } from './throughput'

const { values: options, positionals: asked } = parseArgs({
  options: { cases: { type: 'string', default: '100000' } },
  allowPositionals: true,
})
const benches = new Map([
  ['throughput', throughput],
  ['takeover', takeover],
  ['fuzz', () => fuzz(Number(options.cases))],
  ['quota-world', quotaWorld],
  ['look-up-storm', lookUpStorm],
  ['bad-devices', badDevices],
  ['thin-routes', thinRoutes],
  ['status-readers', statusReaders],
  ['release', release],
])

const main = async (): Promise<number> => {
  const unknown = asked.find(name => !benches.has(name))
  if (unknown !== undefined) {
    console.error(`no bench ${unknown}: ${[...benches.keys()].join(', ')}`)
    return 2
  }
  let isGood = true
  for (const [name, bench] of benches) {
    if (asked.length > 0 && !asked.includes(name)) continue
    console.log(`\n${name}`)
    isGood = (await bench()) && isGood
  }
  return isGood ? 0 : 1
}

main().then(
  status => process.exit(status),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
