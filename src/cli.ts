#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander'
import { packageVersion } from './app/package-version'
import { redact } from './commands/configured'
import { demoCommand } from './commands/demo/demo'
import { CommandError, exitCode } from './commands/exit-code'
import { moveCommand } from './commands/move/move'
import { acceptRestoreCommand } from './commands/operate/accept-restore'
import { holdCommand, releaseCommand } from './commands/operate/hold'
import { migrateCommand } from './commands/operate/migrate'
import { replayCommand } from './commands/operate/replay'
import { resolveCommand } from './commands/operate/resolve'
import { statusCommand } from './commands/operate/show-status'
import { endAtNextSignal, writtenOut } from './commands/process-end'
import { runCommand } from './commands/run'
import { addSimulatorFlags, simulateCommand } from './commands/simulate'
import { submitCommand } from './commands/submit/submit'
import { EmbeddedServerError } from './tools/embedded/embedded-server-error'

const say = (text: string): void => {
  process.stderr.write(redact(`${text}\n`))
}

const program = new Command('device-move')
  .description('Moves fleets of IoT devices between Alibaba Cloud IoT Platform instances.')
  .version(packageVersion())
  .showHelpAfterError('(add --help for usage)')
  .configureOutput({ writeErr: text => process.stderr.write(redact(text)) })
  .exitOverride()

/**
 * Ends the process without waiting for timers of calls that have been given up, which would keep it for seconds. It
 * waits only for a reader that is slower than the command, since what does not fit into the pipe yet would be lost.
 */
const exit = async (status: number): Promise<never> => {
  endAtNextSignal()
  await Promise.all([process.stdout, process.stderr].map(writtenOut))
  // The error of a failed write to standard output is emitted one turn later.
  await new Promise(setImmediate)
  return process.exit(status)
}

/** The status of the command becomes that of the process. */
const ending =
  <A extends readonly unknown[]>(command: (...args: A) => Promise<number>) =>
  async (...args: A): Promise<void> => {
    await exit(await command(...args))
  }

/** Flag of the commands that read a database or change something in it. */
const dataDirFlag = [
  '--data-dir <path>',
  'instead of DATABASE_URL: where a move without it keeps its run',
] as const

program
  .command('run', { isDefault: false })
  .description(
    'The service: consume requests, drive jobs, publish outcomes. Configured by the environment (.env.example).',
  )
  .option('--no-migrate', 'leave the database schema as it is')
  .action(ending(runCommand))

program
  .command('demo')
  .description(
    'Moves an example fleet on this machine, nothing to configure: embedded PostgreSQL, local Kafka, simulator.',
  )
  .option('--keep', 'leave everything running until Ctrl-C')
  .option('--file <path>', 'another fleet, CSV or NDJSON')
  .action(ending(demoCommand))

program
  .command('move')
  .argument('<file>', 'CSV or NDJSON list of devices; - for standard input')
  .description('Moves one list of devices without Kafka. Started again after an interruption it goes on.')
  .option('--out <path>', 'final results as NDJSON (default: standard output)')
  .option('--force', 'replace the file of --out even if it holds something else than results of this list')
  .option('--data-dir <path>', 'where the embedded PostgreSQL keeps the run', '.device-move')
  .action(ending(moveCommand))

program
  .command('submit')
  .argument('<file>', 'CSV or NDJSON list of devices; - for standard input')
  .description('Sends a list of devices to the requests topic.')
  .action(ending(submitCommand))

program
  .command('hold')
  .argument('<route>', 'its number: route_id in the view device_move.routes')
  .description(
    'Stops one route: none of its moves is bound to a job until it is released. Running jobs go on.',
  )
  .option('--reason <text>', 'why, for those who look at the route')
  .option(...dataDirFlag)
  .action(ending(holdCommand))

program
  .command('release')
  .argument('<route>', 'its number: route_id in the view device_move.routes')
  .description('Resumes a held route.')
  .option(...dataDirFlag)
  .action(ending(releaseCommand))

program
  .command('replay')
  .argument('<job>', "the provider's JobId (job_id in the view device_move.jobs), or our batch_id")
  .description(
    'Derives the outcomes of a job again from its kept result files; changes nothing, makes no call.',
  )
  .option('--devices <number>', 'devices shown that would end otherwise', '20')
  .option('--json', 'everything, as JSON')
  .option(...dataDirFlag)
  .action(ending(replayCommand))

program
  .command('resolve')
  .argument('<job>', 'its number: batch_id in the view device_move.jobs')
  .description('Settles or releases one held job, in one of the four ways below; see docs/operations.md.')
  .option('--adopt <job-id>', 'it exists at the provider under this JobId: go on with it')
  .option('--absent', 'it does not exist at the provider: send its devices again')
  .option('--again', 'try the step it is held at once more')
  .option('--fail', 'its devices fail for good, though they may have moved')
  .option(...dataDirFlag)
  .action(ending(resolveCommand))

program
  .command('migrate')
  .description('Applies the database migrations and exits.')
  .action(ending(migrateCommand))

program
  .command('status')
  .description('How the work stands, and why nothing is moving when nothing is.')
  .option('--json', 'as JSON')
  .option('--watch', 'again every 2 s, until Ctrl-C')
  .option(...dataDirFlag)
  .action(ending(statusCommand))

program
  .command('accept-restore')
  .description(
    'After a database was restored from a backup, or a topic made anew: says what that means, and goes on.',
  )
  .option('--dry-run', 'only say what that means')
  .action(ending(acceptRestoreCommand))

addSimulatorFlags(
  program
    .command('simulate')
    .description('The provider simulator. Prints {"listening":"http://…"} as its first line.')
    .addOption(new Option('--port <number>', '0: any free one').default(0))
    .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .option('--options <file>', 'a JSON file with the options below, in camel case'),
).action(ending(simulateCommand))

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

// An unforeseen error ends the process, as it does by default. Node's own text would show every field of the error.
process.on('uncaughtException', error => {
  say(textOf(error))
  process.exit(exitCode.failed)
})

// A reader that has seen enough (`| head -1`) has closed the pipe, which is no error. Any other failed write is reported
// here only.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') say(`Standard output cannot be written: ${error.message}`)
  process.exit(exitCode.failed)
})

const isExpected = (error: unknown): error is Error =>
  error instanceof CommandError || error instanceof EmbeddedServerError

const fail = async (error: unknown): Promise<void> => {
  if (error instanceof CommanderError) {
    // Help and version end with 0. In all other cases commander has already said what is wrong.
    process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.usage
    return
  }
  say(isExpected(error) ? error.message : textOf(error))
  await exit(error instanceof CommandError ? error.status : exitCode.failed)
}

program.parseAsync().catch(fail)
