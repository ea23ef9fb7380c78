// npm run bench [-- throughput | kills]: each prints its figures beside their limits and fails beyond one.
import { killed } from './kills.mjs'
import { throughput } from './throughput.mjs'

const benches = { throughput, kills: killed }
const asked = process.argv.slice(2)
const unknown = asked.find(name => !(name in benches))
if (unknown !== undefined) {
  console.error(`no bench ${unknown}: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
let good = true
for (const name of asked.length > 0 ? asked : Object.keys(benches)) {
  console.log(`\n${name}`)
  good = (await benches[name]()) && good
}
process.exit(good ? 0 : 1)
