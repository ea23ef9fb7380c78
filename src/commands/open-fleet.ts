import { type FleetFile, openFleetFile } from '../files/open-fleet-file'
import { asUsage } from './exit-code'

/** The list of devices a command was given, or the end of the command with what is wrong with it. */
export const openFleet = (path: string): Promise<FleetFile> => openFleetFile(path).catch(asUsage)
