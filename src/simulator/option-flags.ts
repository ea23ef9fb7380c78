import { optionTable, type SimulatorOptions } from './options'

export interface OptionFlag {
  readonly name: keyof SimulatorOptions
  /** As on a command line: `--list-lag-ms`. */
  readonly flag: string
  readonly value: SimulatorOptions[keyof SimulatorOptions]
  readonly note: string
  readonly accepts: string
}

const names = Object.keys(optionTable) as readonly (keyof SimulatorOptions)[]

/** One flag an option, in the order of the table; each takes one value, as text. */
export const optionFlags: readonly OptionFlag[] = names.map(name => ({
  name,
  flag: `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`,
  value: optionTable[name].value,
  note: optionTable[name].note,
  accepts: optionTable[name].accepts,
}))
