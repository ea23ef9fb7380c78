// npm run bench [-- throughput | takeover | fuzz [--cases N] | quota-world]: each prints its figures beside their limits and
// fails beyond one.
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.mjs'
import { quotaWorld } from './quota-world-cases.mjs'
import { takeover } from './takeover.mjs'
import { throughput } from './throughput.mjs'

const benches = { throughput, takeover, fuzz, 'quota-world': quotaWorld }
const { values: options, positionals: asked } = parseArgs({
  options: { cases: { type: 'string', default: '100000' } },
  allowPositionals: true,
})
const unknown = asked.find(name => !(name in benches))
if (unknown !== undefined) {
  console.error(`no bench ${unknown}: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
let good = true
for (const name of asked.length > 0 ? asked : Object.keys(benches)) {
  console.log(`\n${name}`)
  good = (await benches[name](options)) && good
}
process.exit(good ? 0 : 1)
