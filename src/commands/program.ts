/** The command line's commands and flags. A command's own code is loaded only when it runs. */
import { Command, CommanderError, Option } from 'commander'
import { packageVersion } from '../app/package-version'
import { EmbeddedServerError } from '../tools/embedded/embedded-server-error'
import { optionFlags } from '../tools/simulator/options'
import { redact } from './configured'
import { CommandError, exitCode } from './exit-code'

/** Requires the file of a command, which takes up to 400 ms, and gives the command. */
type Load<A extends readonly unknown[]> = () => (...args: A) => Promise<number>

/** Flag of the commands that read a database or change something in it. */
const dataDirFlag = [
  '--data-dir <path>',
  'instead of DATABASE_URL: where a move without it keeps its run',
] as const

/** Adds one flag for each option in the simulator's table, so that flags and options cannot differ. */
const addSimulatorFlags = (command: Command): Command => {
  for (const { flag, value, note, accepts } of optionFlags)
    command.option(`${flag} <value>`, `${note} (${accepts}; default ${JSON.stringify(value)})`)
  return command
}

/** Where help and complaints are written. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

const ofProcess: Output = {
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
}

/** How a process ends after an error of the command line or of a command. */
export interface Ending {
  readonly status: number
  /** Why, for people; null when it has been said already. */
  readonly text: string | null
}

/** The whole of an unforeseen error, its stack included. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

/** An expected error is told in its own words, any other with its stack. */
export const endingAfter = (error: unknown): Ending => {
  // Help and version end with 0. In all other cases commander has already said what is wrong.
  if (error instanceof CommanderError)
    return { status: error.exitCode === 0 ? exitCode.done : exitCode.usage, text: null }
  if (error instanceof CommandError) return { status: error.status, text: error.message }
  return {
    status: exitCode.failed,
    text: error instanceof EmbeddedServerError ? error.message : textOf(error),
  }
}

/** The whole command line. `end` is called with the status that a command ends with. */
export const createProgram = (
  end: (status: number) => Promise<void>,
  output: Output = ofProcess,
): Command => {
  const ending =
    <A extends readonly unknown[]>(load: Load<A>) =>
    async (...args: A): Promise<void> =>
      end(await load()(...args))

  const program = new Command('device-move')
    .description('Moves fleets of IoT devices between Alibaba Cloud IoT Platform instances.')
    .version(packageVersion())
    .showHelpAfterError('(add --help for usage)')
    .configureOutput({ writeOut: text => output.out(text), writeErr: text => output.err(redact(text)) })
    .exitOverride()

  program
    .command('run', { isDefault: false })
    .description(
      'The service: consume requests, drive jobs, publish outcomes. Configured by the environment (.env.example).',
    )
    .option('--no-migrate', 'leave the database schema as it is')
    .action(ending(() => (require('./run') as typeof import('./run')).runCommand))

  program
    .command('demo')
    .description(
      'Moves an example fleet on this machine, nothing to configure: embedded PostgreSQL, local Kafka, simulator.',
    )
    .option('--keep', 'leave everything running until Ctrl-C')
    .option('--file <path>', 'another fleet, CSV or NDJSON')
    .action(ending(() => (require('./demo/demo') as typeof import('./demo/demo')).demoCommand))

  program
    .command('move')
    .argument('<file>', 'CSV or NDJSON list of devices; - for standard input')
    .description('Moves one list of devices without Kafka. Started again after an interruption it goes on.')
    .option('--out <path>', 'final results as NDJSON (default: standard output)')
    .option('--force', 'replace the file of --out even if it holds something else than results of this list')
    .option('--data-dir <path>', 'where the embedded PostgreSQL keeps the run', '.device-move')
    .action(ending(() => (require('./move/move') as typeof import('./move/move')).moveCommand))

  program
    .command('submit')
    .argument('<file>', 'CSV or NDJSON list of devices; - for standard input')
    .description('Sends a list of devices to the requests topic.')
    .action(ending(() => (require('./submit/submit') as typeof import('./submit/submit')).submitCommand))

  program
    .command('hold')
    .argument('<route>', 'its number: route_id in the view device_move.routes')
    .description(
      'Stops one route: none of its moves is bound to a job until it is released. Running jobs go on.',
    )
    .option('--reason <text>', 'why, for those who look at the route')
    .option(...dataDirFlag)
    .action(ending(() => (require('./operate/hold') as typeof import('./operate/hold')).holdCommand))

  program
    .command('release')
    .argument('<route>', 'its number: route_id in the view device_move.routes')
    .description('Resumes a held route.')
    .option(...dataDirFlag)
    .action(ending(() => (require('./operate/hold') as typeof import('./operate/hold')).releaseCommand))

  program
    .command('cancel')
    .description(
      'Ends what is pending or waiting of a route: its moves fail for good, code cancelled, and are dead-lettered. ' +
        'Batches that are not sent yet are taken back. Jobs that exist or may exist at the provider go on; what fails ' +
        'in them and is tried again later is not cancelled, so cancel again then, or hold the route. Interrupted, it is ' +
        'run again.',
    )
    .option('--route <route>', 'its number: route_id in the view device_move.routes')
    .option('--dry-run', 'only count')
    .option('--json', 'as JSON: cancelled, inFlight')
    .option(...dataDirFlag)
    .action(ending(() => (require('./operate/cancel') as typeof import('./operate/cancel')).cancelCommand))

  program
    .command('replay')
    .argument('<job>', "the provider's JobId (job_id in the view device_move.jobs), or our batch_id")
    .description(
      'Derives the outcomes of a job again from its kept result files; changes nothing, makes no call.',
    )
    .option('--devices <number>', 'devices shown that would end otherwise', '20')
    .option('--json', 'everything, as JSON')
    .option(...dataDirFlag)
    .action(ending(() => (require('./operate/replay') as typeof import('./operate/replay')).replayCommand))

  program
    .command('resolve')
    .argument('<job>', 'its number: batch_id in the view device_move.jobs')
    .description(
      'Settles or releases one held, overdue or looked-up job, in one of the ways below; see docs/operations.md.',
    )
    .option('--adopt <job-id>', 'it exists at the provider under this JobId: go on with it')
    .option('--absent', 'it does not exist at the provider: send its devices again')
    .option('--again', 'try the step it is held at once more')
    .option('--fail', 'its devices fail for good, though they may have moved')
    .option(
      '--resend',
      'its devices are sent again without looking up where they are; one that has moved loses its tags again',
    )
    .option(...dataDirFlag)
    .action(ending(() => (require('./operate/resolve') as typeof import('./operate/resolve')).resolveCommand))

  program
    .command('migrate')
    .description('Applies the database migrations and exits.')
    .action(ending(() => (require('./operate/migrate') as typeof import('./operate/migrate')).migrateCommand))

  program
    .command('status')
    .description('How the work stands, and why nothing is moving when nothing is.')
    .option('--json', 'as JSON')
    .option('--watch', 'again every 2 s, until Ctrl-C')
    .option(...dataDirFlag)
    .action(
      ending(
        () => (require('./operate/show-status') as typeof import('./operate/show-status')).statusCommand,
      ),
    )

  program
    .command('accept-restore')
    .description(
      'After a database was restored from a backup, or a topic made anew: says what that means, and goes on.',
    )
    .option('--dry-run', 'only say what that means')
    .action(
      ending(
        () =>
          (require('./operate/accept-restore') as typeof import('./operate/accept-restore'))
            .acceptRestoreCommand,
      ),
    )

  addSimulatorFlags(
    program
      .command('simulate')
      .description('The provider simulator. Prints {"listening":"http://…"} as its first line.')
      .addOption(new Option('--port <number>', '0: any free one').default(0))
      .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1'))
      .option('--options <file>', 'a JSON file with the options below, in camel case'),
  ).action(ending(() => (require('./simulate') as typeof import('./simulate')).simulateCommand))
  return program
}
