/**
 * Compiles TypeScript as it is required, and can plant one defect while doing so: an exact piece of a source file is
 * replaced before it is compiled. The defect is thus one in our own code, without a hook in it; a piece that is not
 * there exactly once ends the run, so no mutant outlives the code it was written for.
 */
const { readFileSync } = require('node:fs')
const { join, relative } = require('node:path')
const { compile } = require('../../scripts/typescript.cjs')

const root = join(__dirname, '..', '..')
let edits = []

/** `mutant`: see mutants.ts. Before anything is loaded that it changes. */
exports.plant = mutant => {
  for (const { file, find } of mutant.edits) {
    const count = readFileSync(join(root, file), 'utf8').split(find).length - 1
    if (count !== 1) throw new Error(`mutant "${mutant.name}": ${count} times in ${file}, not once:\n${find}`)
    if (require.cache[join(root, file)] !== undefined) throw new Error(`${file} has been loaded already`)
  }
  edits = mutant.edits
}

const planted = (filename, source) => {
  const file = relative(root, filename)
  // Replaced by a function, so that `$` in it means nothing.
  return edits
    .filter(edit => edit.file === file)
    .reduce((text, edit) => text.replace(edit.find, () => edit.replace), source)
}

require.extensions['.ts'] = (module, filename) => {
  module._compile(compile(planted(filename, readFileSync(filename, 'utf8')), filename), filename)
}
