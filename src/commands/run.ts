/** `device-move run`: the service. */
import { startMain } from '../app/main'
import { providerVariables } from '../app/wiring'
import { createLogger } from '../telemetry/logger'
import { configured, redact } from './configured'
import { exitCode } from './exit-code'
import { listenProblem } from './listen-problem'
import { knownDatabaseProblem } from './problems'
import { firstSignal, stopWithin } from './process-end'

export const runCommand = async ({ migrate }: { readonly migrate: boolean }): Promise<number> => {
  const config = configured(['kafkaBrokers', 'databaseUrl', ...providerVariables])
  const logger = createLogger(config.logLevel, redact)
  // Every step is crash-safe, so nothing is lost by ending at once.
  const signal = firstSignal(() => process.exit(exitCode.done))
  const running = startMain(config, { migrate, logger })
  const ended = await Promise.race([signal, running.failed])
  if (ended !== 'SIGINT' && ended !== 'SIGTERM') {
    const problem =
      listenProblem(ended, 'HTTP_HOST or HTTP_PORT') ?? knownDatabaseProblem(ended, config.databaseUrl ?? '')
    logger.fatal(problem === null ? { err: ended } : { reason: problem.message }, 'cannot go on')
    await running.stop()
    return problem?.status ?? exitCode.failed
  }
  logger.info({ signal: ended }, 'stopping')
  logger.info({ how: await stopWithin(running) }, 'stopped')
  return exitCode.done
}
