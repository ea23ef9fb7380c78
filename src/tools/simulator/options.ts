import { deviceFaults } from './device-faults'
import { amount, choice, flag, rate, text, whole } from './option-kinds'

/** Every option of the simulator with its default. The names are those of the JSON file and, in kebab case, of flags. */
const optionTable = {
  seed: whole(1, 'all chance derives from it', 2 ** 32 - 1),
  jobIdPrefix: text(
    '',
    'first letters of every JobId; empty: drawn at each start, so that ids never come again',
  ),

  accessKeyId: text('simulator', 'the one key pair that is accepted'),
  accessKeySecret: text('simulator-secret', 'its secret'),
  securityToken: text('', 'demanded with the key pair; empty: any token or none'),
  accountUid: text('1984000000000001', 'the account the key pair belongs to'),
  clockSkewMs: whole(900_000, 'how far the time stamp of a call may be off'),

  qps: whole(0, 'calls of all operations together in any second; 0: no shared cap'),
  qpsCreate: whole(2, 'calls in any second; 0: no cap (so for the five below)'),
  qpsQuery: whole(10, ''),
  qpsDetail: whole(5, ''),
  qpsList: whole(5, ''),
  qpsDelete: whole(2, ''),
  qpsProvisioning: whole(50, ''),

  jobs: whole(10, 'job limit of the account, foreign jobs included; 0: none'),
  jobsMode: choice(
    'open',
    ['open', 'existing'],
    'what the limit counts: status 0 and 1, or whatever was not deleted',
  ),
  jobsFullCode: text('iot.distribute.JobCountExceeded', 'made up: the real code is not documented'),
  maxDevices: whole(10_000, 'devices a create may name'),
  missingDevice: choice(
    'row',
    ['row', 'whole'],
    'a device that does not exist fails its row, or the whole create',
  ),
  missingPrefix: text('missing-', 'devices and instances so named do not exist; empty: all do'),
  missingDeviceRate: rate('share of devices that do not exist, by seed and name'),
  alreadyThere: choice(
    'fail',
    ['fail', 'move'],
    'a device already at the target: its row fails, or it is moved again',
  ),
  deviceFaults: deviceFaults('per-device failures: [{ "code", "rate", "permanent"? }]'),

  initMs: amount(200, 'a job is in status 0 for so long'),
  baseMs: amount(800, 'then in status 1 for so long'),
  perDeviceMs: amount(0.05, '… and so much longer for each device'),
  jitter: amount(0.2, 'sigma of the log-normal factor (median 1) on both', 3),

  fileFormat: choice(
    'json',
    ['json', 'ndjson', 'csv', 'random'],
    'of result files; random: by seed, per job',
  ),
  fileCodes: choice('number', ['number', 'text', 'random'], 'type of Code where it is numeric'),
  fileKeys: choice('pascal', ['pascal', 'camel', 'lower', 'random'], 'DeviceName, deviceName or devicename'),
  fileProductRow: flag('a row for the product itself comes first'),
  fileUrlMs: whole(600_000, 'a result URL is valid for so long'),

  throttleRate: rate('of calls refused as throttled without reason'),
  serverErrorRate: rate('of calls answered 502 with HTML, half of them executed'),
  lostResponseRate: rate('of calls executed, then cut off'),
  lostRequestRate: rate('of calls cut off before anything was done'),
  lateCreateRate: rate('of creates cut off and executed later'),
  lateCreateMs: whole(2_000, 'how much later'),
  latencyMinMs: whole(0, 'answers take at least so long'),
  latencyMaxMs: whole(0, 'and at most so long'),
  listLagMs: whole(0, 'List shows the jobs as they were so long ago'),
  listOrder: choice(
    'newest-first',
    ['newest-first', 'oldest-first', 'shuffled'],
    'of the jobs in List: the real one is not documented',
  ),
  listStatus: choice(
    'heeded',
    ['heeded', 'ignored', 'refused'],
    'what List makes of a Status that a call asks for',
  ),
  interruptedRate: rate('of jobs that end in status 3 with part of the devices moved'),
  interruptedFile: choice(
    'random',
    ['with', 'without', 'random'],
    'whether an interrupted job has a result file',
  ),
  missingRowRate: rate('of devices left out of the result file'),
  foreignEveryMs: whole(0, 'mean time between jobs that other people create; 0: none'),
  foreignJobMs: whole(5_000, 'how long theirs are open'),
  foreignMax: whole(3, 'how many of theirs are open at most'),
  htmlFileRate: rate('of jobs whose result file is an HTML page'),
  emptyFileRate: rate('… is empty'),
  truncatedFileRate: rate('… ends in the middle'),
  hugeFileRate: rate('… is endless rubbish of hugeFileMb'),
  hugeFileMb: whole(64, 'size of a huge file', 4_096),
  gzipFileRate: rate('… comes with content-encoding gzip'),
  fileErrorRate: rate('of downloads answered 503'),
} as const

type Table = typeof optionTable
export type SimulatorOptions = { readonly [Name in keyof Table]: Table[Name]['value'] }

const entries = Object.entries as <T extends object>(table: T) => [keyof T & string, T[keyof T]][]

/** The options as given, and the defaults of the others. */
export const withDefaults = (given: Partial<SimulatorOptions>): SimulatorOptions => ({
  ...(Object.fromEntries(
    entries(optionTable).map(([name, option]) => [name, option.value]),
  ) as SimulatorOptions),
  ...given,
})

/** Reads options from a JSON object. Numbers may be text, as flags give them. Every problem is listed at once. */
export const parseSimulatorOptions = (raw: unknown): SimulatorOptions | { readonly problems: string[] } => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    return { problems: ['options: not an object'] }
  const problems: string[] = []
  const given: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(raw)) {
    if (!Object.hasOwn(optionTable, name)) {
      problems.push(`${name}: no such option`)
      continue
    }
    const option = optionTable[name as keyof Table]
    const read = option.read(value)
    if (read === undefined) problems.push(`${name}: must be ${option.accepts}`)
    else given[name] = read
  }
  const options = withDefaults(given as Partial<SimulatorOptions>)
  if (options.latencyMaxMs < options.latencyMinMs)
    problems.push('latencyMaxMs: must not be below latencyMinMs')
  return problems.length > 0 ? { problems } : options
}

export interface OptionFlag {
  readonly name: keyof SimulatorOptions
  /** As it is written on a command line: `--list-lag-ms`. */
  readonly flag: string
  readonly value: SimulatorOptions[keyof SimulatorOptions]
  readonly note: string
  readonly accepts: string
}

const names = Object.keys(optionTable) as readonly (keyof SimulatorOptions)[]

/** One flag for each option, in the order of the table. Each takes one value, as text. */
export const optionFlags: readonly OptionFlag[] = names.map(name => ({
  name,
  flag: `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`,
  value: optionTable[name].value,
  note: optionTable[name].note,
  accepts: optionTable[name].accepts,
}))
