/** A command's configuration, and what it may show of it. */
import { type Config, type Environment, loadConfig, processEnvironment, secretsOf } from '../app/config'
import { createRedact } from '../domain/redact'
import { createLogger, type Logger } from '../telemetry/logger'
import { usageError } from './exit-code'

/** The configuration. Ends the command with all problems at once if it is not usable. */
export const configured = (required: readonly (keyof Config)[], overrides: Environment = {}): Config => {
  const loaded = loadConfig({ ...processEnvironment(), ...overrides }, required)
  if (loaded.ok) return loaded.config
  const lines = loaded.problems.map(problem => `  ${problem}`)
  return usageError(`The configuration is not usable:\n${lines.join('\n')}`)
}

/** Takes the secrets of this process out of a text. */
export const redact = createRedact(secretsOf(processEnvironment()))

/** Logger of commands whose progress people watch. It logs errors only, unless LOG_LEVEL is other than `info`. */
export const quietLogger = ({ logLevel }: Config): Logger =>
  createLogger(logLevel === 'info' ? 'error' : logLevel, redact)
