import { startMain } from '../main'
import { createLogger } from '../telemetry/logger'
import { providerVariables } from '../wiring'
import { configured } from './configured'
import { knownDatabaseProblem } from './database-problem'
import { exitCode } from './exit-code'
import { firstSignal } from './first-signal'
import { listenProblem } from './listen-problem'
import { redact } from './redact'
import { stopWithin } from './stop-within'

export const runCommand = async ({ migrate }: { readonly migrate: boolean }): Promise<number> => {
  const config = configured(['kafkaBrokers', 'databaseUrl', ...providerVariables])
  const logger = createLogger(config.logLevel, redact)
  // Every step is crash-safe, so ending at once is as good as ending late.
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
