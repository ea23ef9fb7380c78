// node --require ./scripts/typescript.cjs FILE.ts: runs TypeScript as the tests do, types unchecked.
const { transformSync } = require('@swc/core')
const { readFileSync } = require('node:fs')

/** From TypeScript to what Node runs. */
exports.compile = (source, filename) =>
  transformSync(source, {
    filename,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'commonjs', ignoreDynamic: true },
    sourceMaps: 'inline',
    swcrc: false,
  }).code

require.extensions['.ts'] = (module, filename) => {
  module._compile(exports.compile(readFileSync(filename, 'utf8'), filename), filename)
}
