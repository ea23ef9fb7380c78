import { type Config, type Environment, loadConfig, processEnvironment, secretsOf } from '../app/config'
import { createRedact } from '../domain/redact'
import { createLogger, type Logger } from '../telemetry/logger'
import { CommandError, exitCode } from './exit-code'

/** The configuration, or the end of the command with all its problems at once. */
export const configured = (required: readonly (keyof Config)[], overrides: Environment = {}): Config => {
  const loaded = loadConfig({ ...processEnvironment(), ...overrides }, required)
  if (loaded.ok) return loaded.config
  const lines = loaded.problems.map(problem => `  ${problem}`)
  throw new CommandError(`The configuration is not usable:\n${lines.join('\n')}`, exitCode.usage)
}

/** Takes this process's secrets out of whatever it is about to say. */
export const redact = createRedact(secretsOf(processEnvironment()))

/** For commands whose progress people watch: errors only, unless LOG_LEVEL asks for something else. */
export const quietLogger = ({ logLevel }: Config): Logger =>
  createLogger(logLevel === 'info' ? 'error' : logLevel, redact)
