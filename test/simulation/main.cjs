/** `npm run test:sim`: see campaign.ts. A campaign starts it again with `--worker [MUTANT]` for each core. */
process.setSourceMapsEnabled(true)
const { plant } = require('./load-source.cjs')
const [first, mutant] = process.argv.slice(2)
if (first === '--worker') {
  // The defect is planted before anything of src is loaded.
  if (mutant !== undefined) plant(require('./mutants.ts').mutantOf(mutant))
  require('./worker.ts').main()
} else require('./campaign.ts').main(process.argv.slice(2))
