// node --require ./scripts/typescript.cjs FILE.ts: runs TypeScript as the tests do, types unchecked.
const { transformSync } = require('@swc/core')
const { readFileSync } = require('node:fs')

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'commonjs', ignoreDynamic: true },
    sourceMaps: 'inline',
    swcrc: false,
  })
  module._compile(code, filename)
}
