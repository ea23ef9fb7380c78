import type { Command } from 'commander'
import { optionFlags } from '../tools/simulator/options'

/** One flag an option of the simulator's table, so that the two cannot differ. */
export const addSimulatorFlags = (command: Command): Command => {
  for (const { flag, value, note, accepts } of optionFlags)
    command.option(`${flag} <value>`, `${note} (${accepts}; default ${JSON.stringify(value)})`)
  return command
}
