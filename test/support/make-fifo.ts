import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Node itself cannot make one. */
export const makeFifo = async (path: string): Promise<void> => {
  await promisify(execFile)('mkfifo', [path])
}
