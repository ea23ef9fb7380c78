/**
 * Compiles TypeScript as it is required, and can plant one defect while doing so: a piece of a source file is replaced
 * before the file is compiled. The defect is thus one in our own code, without a hook in it; a piece that is not there
 * exactly once ends the run, so no mutant outlives the code it was written for.
 */
const { readFileSync } = require('node:fs')
const { compile } = require('../../scripts/typescript.cjs')

let planted = null

/** `mutant`: see mutants.ts. Call it before anything is loaded that the mutant changes. */
exports.plant = mutant => {
  const { findPlace } = require('./find-place.ts')
  const place = findPlace(mutant)
  if (require.cache[place.file] !== undefined) throw new Error(`${place.file} has been loaded already`)
  planted = place
}

const withDefect = (filename, source) =>
  planted?.file === filename
    ? source.slice(0, planted.start) + planted.text + source.slice(planted.end)
    : source

require.extensions['.ts'] = (module, filename) => {
  module._compile(compile(withDefect(filename, readFileSync(filename, 'utf8')), filename), filename)
}
