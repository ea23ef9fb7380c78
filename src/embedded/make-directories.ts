import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './embedded-server-error'

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isDirectory(),
    () => false,
  )

/**
 * Makes a directory and those above it. Node's own way goes round for ever where a directory that is there says that it
 * is not when something is to be made in it (/proc).
 */
export const makeDirectories = async (path: string): Promise<void> => {
  if (await isDirectory(path)) return
  const parent = dirname(path)
  if (!(await isDirectory(parent)) && parent !== path) await makeDirectories(parent)
  await mkdir(path).catch(async error => {
    // Another process may have been quicker.
    if (codeOf(error) !== 'EEXIST' || !(await isDirectory(path))) throw error
  })
}
