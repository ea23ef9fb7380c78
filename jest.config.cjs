const project = (displayName, more = {}) => ({
  displayName,
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs', ignoreDynamic: true },
      },
    ],
  },
  ...more,
})
/** One broker and one PostgreSQL server for the whole run; a topic and a database per suite. */
const withServers = {
  globalSetup: '<rootDir>/test/support/start-servers.ts',
  globalTeardown: '<rootDir>/test/support/stop-servers.ts',
}

module.exports = {
  // More than the cores of a small machine: most suites wait for servers most of the time.
  maxWorkers: 6,
  testSequencer: '<rootDir>/test/support/longest-first.cjs',
  testTimeout: 60_000,
  projects: [
    project('unit'),
    project('fuzz'),
    project('contract', withServers),
    project('integration', withServers),
    project('acceptance', withServers),
    project('servers', withServers),
  ],
}
