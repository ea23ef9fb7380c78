import { type Config, type Environment, loadConfig, processEnvironment } from '../config'
import { CommandError, exitCode } from './exit-code'

/** The configuration, or the end of the command with all its problems at once. */
export const configured = (required: readonly (keyof Config)[], overrides: Environment = {}): Config => {
  const loaded = loadConfig({ ...processEnvironment(), ...overrides }, required)
  if (loaded.ok) return loaded.config
  const lines = loaded.problems.map(problem => `  ${problem}`)
  throw new CommandError(`The configuration is not usable:\n${lines.join('\n')}`, exitCode.usage)
}
